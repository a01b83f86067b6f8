# Stars that nobody has seen: evenly over a field of one degree, and so many of a magnitude as an even universe has.
# The generator is one of its own (Marsaglia's multiplicative one), so that every awk draws the same.
function chance() {
    state = (state * 69069 + 1) % 4294967296
    return (state + 0.5) / 4294967296
}

function number_of(record, key,    found) {
    if (!match(record, "\"" key "\" *: *[-+0-9.eE]+"))
        return 0
    found = substr(record, RSTART, RLENGTH)
    sub(/^"[^"]*" *: */, "", found)
    return found + 0
}

BEGIN {
    ra = number_of(centre, "ra")
    dec = number_of(centre, "dec")
    state = stars
    wide = cos(dec * atan2(0, -1) / 180)
    if (wide < 0.01)
        wide = 0.01
    print "ra,dec,magnitude"
    for (star = 1; star <= stars; star++) {
        east = (ra + (chance() - 0.5) / wide + 360) % 360
        north = dec + chance() - 0.5
        printf "%.5f,%.5f,%.2f\n", east, north, depth + log(chance()) / log(10) / 0.6
        if (star % 1000 == 0)
            print star " of " stars " stars" > "/dev/stderr"
    }
}
