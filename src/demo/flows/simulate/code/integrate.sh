# Lets the oscillator swing, a second a second.
# usage: integrate.sh SECONDS DAMPING FAILURES
set -eu
attempt=$(($(cat state/attempts 2>/dev/null || echo 0) + 1))
echo "$attempt" > state/attempts
echo "attempt $attempt"
if [ "$attempt" -le "$3" ]; then
    echo "the solution diverges" >&2
    exit 3
fi
read -r position velocity < state/initial.txt
echo second,position,velocity > results/series.csv
second=0
while [ "$second" -lt "$1" ]; do
    sleep 1
    second=$((second + 1))
    state=$(awk -v x="$position" -v v="$velocity" -v damping="$2" -f code/second.awk)
    position=${state% *}
    velocity=${state#* }
    echo "$second,$position,$velocity" >> results/series.csv
    echo "$second of $1 s: $position"
done
