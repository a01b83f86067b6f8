# The longest way from the middle, and where it ended.
BEGIN { FS = "," }
NR > 1 {
    away = $2 < 0 ? -$2 : $2
    if (away > farthest)
        farthest = away
    last = $2
}
END { printf "{\"seconds\": %d, \"farthest\": %.6f, \"last\": %.6f}\n", NR - 1, farthest, last }
