# How rich the language of a text is, by the table of its words: Guiraud's index.
BEGIN { FS = "," }
NR > 1 {
    words += $2
    distinct++
    if (length($1) > length(longest))
        longest = $1
}
END {
    if (words == 0) {
        print "the text has no words" > "/dev/stderr"
        exit 2
    }
    printf "{\n"
    printf "  \"richness\": %.4f,\n", distinct / sqrt(words)
    printf "  \"words\": %d,\n  \"distinct\": %d,\n  \"longest\": \"%s\"\n", words, distinct, longest
    printf "}\n"
}
