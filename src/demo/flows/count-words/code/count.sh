# Writes the words of a text with their numbers, the most frequent first.
# usage: count.sh TEXT LEAST TABLE
set -eu
words=$(wc -w < "$1")
echo "counting about $words words of at least $2 letters"
{
    echo word,count
    awk -v least="$2" -f code/count.awk "$1" | sort -t, -k2,2nr -k1,1
} > "$3"
