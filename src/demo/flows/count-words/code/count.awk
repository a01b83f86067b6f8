# The words of a text with their numbers.
{
    line = tolower($0)
    gsub(/[^a-z]+/, " ", line)
    number = split(line, words, " ")
    for (at = 1; at <= number; at++)
        if (length(words[at]) >= least)
            count[words[at]]++
}
END {
    for (word in count)
        print word "," count[word]
}
