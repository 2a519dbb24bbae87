#!/usr/bin/env bash
# Runs every experiment behind docs/explanation/closed-loop.md and gathers their tables in Markdown.
#
#   scripts/closed-loop-tables.sh [--bundle DIR] [--out DIR] [--episodes N] [--jobs N] [--list] [RUN ...]
#
# Without RUN all are run. A run that was broken off, by Ctrl-C or a power cut, goes on where it was when the same line is
# given again; one that is complete costs only its report. More episodes join with a larger --episodes. At the end
# OUT/tables.md holds the tables of all runs there are, OUT/RUN/report.html the report of each.
set -euo pipefail
# In braces, so that all of it is read before hours of running in which the file may change.
{
cd "$(dirname "$0")/.."

bundle=bundles/tabletop
out=out/closed-loop-tables
episodes=528 # each task equally often: of 16 static ones and of 8 dynamic ones
jobs=()
chosen=()
list=no

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case $1 in
    --bundle | --out | --episodes | --jobs)
      [ $# -ge 2 ] || { echo "$1: give a value" >&2; exit 2; }
      case $1 in --bundle) bundle=$2 ;; --out) out=$2 ;; --episodes) episodes=$2 ;; --jobs) jobs=(--jobs "$2") ;; esac
      shift 2
      ;;
    --list) list=yes && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) echo "$1: not an option" >&2 && usage >&2 && exit 2 ;;
    *) chosen+=("$1") && shift ;;
  esac
done

# Where the command is; a caller may name another build.
read -r -a fastwam <<<"${FASTWAM:-node bin/fastwam}"

runs=(grid-fixed grid-fresh within-chunk blocks adaptive dynamic random fast)

# What a run asks for beyond bundle, seed and episodes. Settings that need blocks are apart from those that do not: the
# first of them exchanges the plain expert graph for the gated one, and uncached times are to be those of the same graph.
settings_of() {
  case $1 in
    grid-fixed) echo --policy c3ache --set range=0:6,0:7,0:8,0:9 --set refresh_interval=0,4,8 ;;
    grid-fresh) echo --policy c3ache --set range=0:6,0:7,0:8,0:9 --set refresh_interval=0,4,8 --noise fresh ;;
    within-chunk) echo --policy worldcache_ht --set error_budget=1,4,16 ;;
    blocks) echo --policy x_cache,worldcache_ca,bac --set x_cache.tau_floor=0.97,0.9,0.8 \
      --set worldcache_ca.threshold=0.08,0.04,0.16 --set bac.updates=5,3,7 ;;
    adaptive) echo --policy adaptive --set range=0:6,0:7 --set refresh_interval=0,4 --set tolerance=0.05,0.2,0.5 ;;
    dynamic) echo --policy c3ache,adaptive --set range=0:6,0:7 --set refresh_interval=0,4 ;;
    random) echo --condition random --policy c3ache,adaptive --set range=0:6,0:7 --set refresh_interval=0,4 ;;
    fast) echo --world-speed fast --policy c3ache,adaptive --set range=0:6,0:7 --set refresh_interval=0,4 ;;
    *) return 1 ;;
  esac
}

title_of() {
  case $1 in
    grid-fixed) echo 'C3ache: refresh interval and range' ;;
    grid-fresh) echo 'Fresh noise' ;;
    within-chunk) echo 'Within the chunk: worldcache_ht' ;;
    blocks) echo 'Block by block: x_cache, worldcache_ca, bac' ;;
    adaptive) echo 'Adaptive refresh' ;;
    dynamic) echo 'A world that moves by itself' ;;
    random) echo 'Objects that jump and slip' ;;
    fast) echo 'The fast world' ;;
  esac
}

[ ${#chosen[@]} -gt 0 ] || chosen=("${runs[@]}")
for run in "${chosen[@]}"; do
  settings_of "$run" >/dev/null || { echo "$run: not a run; there are ${runs[*]}" >&2; exit 2; }
done

command_of() { # RUN: one word a line
  local model=$bundle suites=spatial,object,goal,long words
  [ "$1" != blocks ] || model=$out/bundle
  [ "$1" != dynamic ] || suites=dynamic
  read -r -a words <<<"$(settings_of "$1")"
  printf '%s\n' simulate --bundle "$model" --suite "$suites" --seed 1 --episodes "$episodes" ${jobs[@]+"${jobs[@]}"} --grid "${words[@]}" \
    --out "$out/$1" --resume
}

if [ "$list" = yes ]; then
  for run in "${chosen[@]}"; do echo "fastwam $(command_of "$run" | paste -sd ' ')"; done
  exit 0
fi

# bac follows schedules that are learnt beforehand and kept beside a bundle: in a copy, so that the bundle stays as it is.
calibrate() {
  local copy=$out/bundle updates
  if [ -d "$copy" ] && ! cmp -s "$bundle/bundle.json" "$copy/bundle.json"; then
    echo "$copy is a copy of another bundle; choose another --out" >&2
    return 1
  fi
  mkdir -p "$out"
  [ -d "$copy" ] || { cp -R "$bundle" "$copy.part" && mv "$copy.part" "$copy"; }
  for updates in 3 5 7; do
    [ ! -e "$copy/calibrated-$updates" ] || continue
    "${fastwam[@]}" calibrate "$copy" bags/tabletop_demo --params params/tabletop_demo.yaml --policy bac --set "updates=$updates"
    touch "$copy/calibrated-$updates"
  done
}

failed=()
stopped=no
# Ctrl-C reaches the command too, which ends with a report of what there is; then no other run begins.
trap 'stopped=yes' INT TERM
for run in "${chosen[@]}"; do
  if [ "$stopped" = yes ]; then failed+=("$run") && continue; fi
  echo "== $run" >&2
  if [ "$run" = blocks ] && ! calibrate; then failed+=("$run") && continue; fi
  mapfile -t words < <(command_of "$run")
  status=0
  "${fastwam[@]}" "${words[@]}" || status=$?
  [ "$status" -eq 0 ] || failed+=("$run")
done

# The paper's differences in points (arXiv 2606.08962, tables 1 and 2, and the ablation of ranges; its own bases first).
paper_columns() {
  awk -F ' *\\| *' '
    BEGIN {
      p["none"] = "96.90 % | 91.40 %"
      p["c3ache R=0 [0,6]"] = "+0.55 | −1.05"; p["c3ache R=4 [0,6]"] = "−0.35 | +0.45"; p["c3ache R=8 [0,6]"] = "−0.15 | −1.00"
      p["c3ache R=0 [0,7]"] = "+0.20 | −15.55"; p["c3ache R=4 [0,7]"] = "−0.20 | −2.50"; p["c3ache R=8 [0,7]"] = "+0.10 | −6.15"
      for (R = 0; R <= 8; R += 4) for (end = 8; end <= 9; end++) p["c3ache R=" R " [0," end "]"] = "fails | –"
    }
    /^\| configuration .*difference/ { inside = 1; print $0 " LIBERO | RoboTwin |"; next }
    inside && /^\| --- / { print $0 " ---: | ---: |"; next }
    inside && /^\|/ { print $0 " " ($2 in p ? p[$2] : "– | –") " |"; next }
    { inside = 0; print }
  '
}

mkdir -p "$out"
{
  for run in "${runs[@]}"; do
    [ -e "$out/$run/tables.md" ] || continue
    printf '## %s\n\n`fastwam %s`\n\n' "$(title_of "$run")" "$(command_of "$run" | paste -sd ' ')"
    if [ "$run" = grid-fixed ]; then paper_columns <"$out/$run/tables.md"; else cat "$out/$run/tables.md"; fi
    echo
  done
} >"$out/tables.md"
if [ -x node_modules/.bin/prettier ]; then node_modules/.bin/prettier --log-level warn --ignore-path /dev/null --write "$out/tables.md"; fi
echo "tables: $out/tables.md" >&2
[ ${#failed[@]} -eq 0 ] || { echo "not complete: ${failed[*]}" >&2; exit 1; }
exit 0
}
