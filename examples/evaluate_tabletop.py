"""Runs episodes of the table-top world against a policy server, with openpi's public client.

    fastwam serve --bundle bundles/tabletop --world
    python examples/evaluate_tabletop.py --episodes 20 --set cache.policy=c3ache --set cache.refresh_interval=4

Prints one line of JSON for each episode and one for all. The same seeds are the same episodes as those of
`fastwam simulate`.
"""

from __future__ import annotations

import argparse
import json

from openpi_client import websocket_client_policy
from tabletop_env import TabletopEnv


def run_episode(policy, env: TabletopEnv, replan_steps: int, seed: int, options: dict) -> dict:
    observation, info = env.reset(seed=seed, options=options)
    chunks = refreshes = step = 0
    stacks = 0.0
    actions = []
    terminated = truncated = False
    while not (terminated or truncated):
        if step % replan_steps == 0:
            # An episode of ours is an episode of the cache: nothing is reused across them.
            reply = policy.infer({**observation, "reset": True} if step == 0 else observation)
            actions = reply["actions"]
            chunks += 1
            refreshes += reply.get("cache", {}).get("refreshed", True)
            stacks += reply.get("cache", {}).get("stack_evaluations", 0.0)
        observation, _, terminated, truncated, info = env.step(actions[step % replan_steps])
        step += 1
    return {
        "suite": info["suite"],
        "success": info["success"],
        "steps": step,
        "chunks": chunks,
        "refreshes": int(refreshes),
        "stack_evaluations": round(stacks, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", default="ws://127.0.0.1:8000", help="policy server")
    parser.add_argument("--world", default="ws://127.0.0.1:8000/world", help="the simulated world")
    parser.add_argument("--api-key", help="token of the servers")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first episode")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--condition", default="clean", choices=["clean", "random"])
    parser.add_argument("--speed", default="slow", choices=["slow", "fast"])
    parser.add_argument("--replan-steps", type=int, help="default: what the server says, else 10")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of this connection alone")
    flags = parser.parse_args()

    policy = websocket_client_policy.WebsocketClientPolicy(host=flags.policy, api_key=flags.api_key)
    replan_steps = flags.replan_steps or policy.get_server_metadata().get("replan_steps", 10)
    if flags.set:
        policy.infer(dict(setting.split("=", 1) for setting in flags.set))
    env = TabletopEnv(flags.world, flags.api_key)
    successes = 0
    for episode in range(flags.first, flags.first + flags.episodes):
        options = {"episode": episode, "condition": flags.condition, "speed": flags.speed}
        result = run_episode(policy, env, replan_steps, flags.seed, options)
        successes += result["success"]
        print(json.dumps({"episode": episode, **result}), flush=True)
    print(json.dumps({"episodes": flags.episodes, "success_rate": successes / max(flags.episodes, 1)}))


if __name__ == "__main__":
    main()
