# A table and a picture of the best run of each group, best first, by the list that labql puts beside them.
function text_of(entry, key,    found) {
    if (!match(entry, "\"" key "\" *: *\"[^\"]*\""))
        return ""
    found = substr(entry, RSTART, RLENGTH)
    sub(/^"[^"]*" *: *"/, "", found)
    sub(/"$/, "", found)
    return found
}

function richness_of(run,    path, line, found) {
    path = runs "/" run "/results/score.json"
    while ((getline line < path) > 0)
        if (line ~ /"richness"/) {
            found = line
            gsub(/[^0-9.]/, "", found)
        }
    close(path)
    return found
}

function escaped(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    return text
}

BEGIN {
    list = runs "/runs.json"
    while ((getline line < list) > 0)
        all = all line
    while (match(all, /\{[^{}]*\}/)) {
        entry = substr(all, RSTART, RLENGTH)
        all = substr(all, RSTART + RLENGTH)
        groups++
        name[groups] = text_of(entry, "name")
        richness[groups] = richness_of(text_of(entry, "id"))
        if (richness[groups] > most)
            most = richness[groups]
    }
    print "rank,group,richness" > table
    height = 30 * groups + 10
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"%d\" font-family=\"sans-serif\" font-size=\"14\">\n", height > picture
    for (rank = 1; rank <= groups; rank++) {
        print rank "," name[rank] "," richness[rank] > table
        top = 30 * rank - 20
        width = most > 0 ? 400 * richness[rank] / most : 0
        printf "<text x=\"10\" y=\"%d\">%s</text>\n", top + 15, escaped(name[rank]) > picture
        printf "<rect x=\"160\" y=\"%d\" width=\"%.1f\" height=\"20\" fill=\"#3867b0\"/>\n", top, width > picture
        printf "<text x=\"%.1f\" y=\"%d\">%s</text>\n", width + 166, top + 15, richness[rank] > picture
        print "rank " rank ": " name[rank] " with " richness[rank]
    }
    print "</svg>" > picture
}
