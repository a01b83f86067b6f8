# Counts stars by magnitude: a table and a picture.
function escaped(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    return text
}

function height_of(count) {
    if (count == 0)
        return 0
    return axis == "logarithmic" ? log(count + 1) : count
}

BEGIN {
    FS = ","
    gsub(/[][ ]/, "", edges)
    bins = split(edges, edge, ",") - 1
    if (bins < 1) {
        print "there are no bins: give two edges or more" > "/dev/stderr"
        exit failed = 2
    }
}

NR > 1 {
    for (bin = 1; bin <= bins; bin++)
        if ($3 >= edge[bin] + 0 && $3 < edge[bin + 1] + 0) {
            count[bin]++
            next
        }
    outside++
}

END {
    if (failed)
        exit failed
    print "from,until,stars" > table
    for (bin = 1; bin <= bins; bin++) {
        print edge[bin] "," edge[bin + 1] "," count[bin] + 0 > table
        if (height_of(count[bin] + 0) > highest)
            highest = height_of(count[bin] + 0)
    }
    title = ENVIRON["TITLE"]
    if (title == "")
        title = "Stars by magnitude in " band
    width = 560 / bins
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"360\" font-family=\"sans-serif\" font-size=\"12\">" > picture
    printf "<text x=\"40\" y=\"24\" font-size=\"16\">%s</text>\n", escaped(title) > picture
    for (bin = 1; bin <= bins; bin++) {
        tall = highest > 0 ? 260 * height_of(count[bin] + 0) / highest : 0
        left = 40 + (bin - 1) * width
        printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#b0702f\"/>\n", left, 320 - tall, width - 2, tall > picture
        printf "<text x=\"%.1f\" y=\"%.1f\">%d</text>\n", left, 314 - tall, count[bin] > picture
        printf "<text x=\"%.1f\" y=\"338\">%s</text>\n", left, edge[bin] > picture
    }
    print "</svg>" > picture
    print NR - 1 - outside " stars in " bins " bins, " outside + 0 " outside"
}
