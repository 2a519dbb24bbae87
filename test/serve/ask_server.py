"""What openpi's public client sees of a server: reads one JSON list of requests, prints one JSON answer for each.

A request is {"message": {...}} whose values may be {"zeros": [...], "dtype": "uint8"}, or {"connect": true} for a client of
its own from there on.
"""

import json
import sys

import numpy as np
from openpi_client import action_chunk_broker
from openpi_client import websocket_client_policy


def value(given):
    if isinstance(given, dict) and "zeros" in given:
        return np.zeros(given["zeros"], dtype=given.get("dtype", "uint8"))
    if isinstance(given, dict) and "numbers" in given:
        return np.asarray(given["numbers"], dtype=given.get("dtype", "float64"))
    if isinstance(given, dict) and "scalar" in given:
        return np.float64(given["scalar"])
    if isinstance(given, dict):
        return {key: value(inner) for key, inner in given.items()}
    return given


def plain(given):
    if isinstance(given, np.ndarray):
        return {"dtype": str(given.dtype), "shape": list(given.shape), "values": given.ravel().tolist()}
    if isinstance(given, dict):
        return {key: plain(inner) for key, inner in given.items()}
    return given


def main() -> None:
    url, api_key = sys.argv[1], sys.argv[2] or None
    connect = lambda: websocket_client_policy.WebsocketClientPolicy(host=url, api_key=api_key)
    try:
        client = connect()
    except Exception as error:
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}))
        return
    print(json.dumps({"greeting": plain(client.get_server_metadata())}))
    for request in json.load(sys.stdin):
        if request.get("connect"):
            client = connect()
            continue
        message = value(request["message"])
        try:
            if "broker" in request:
                broker = action_chunk_broker.ActionChunkBroker(client, request["broker"])
                answer = {"steps": [plain(broker.infer(message)["actions"]) for _ in range(request["broker"])]}
            else:
                answer = {"reply": plain(client.infer(message))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
