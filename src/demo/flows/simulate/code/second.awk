# Where a damped oscillator with a period of ten seconds is after a second (semi-implicit Euler, a thousand steps).
BEGIN {
    stiffness = (2 * atan2(0, -1) / 10) ^ 2
    for (step = 0; step < 1000; step++) {
        v += (-stiffness * x - damping * v) / 1000
        x += v / 1000
    }
    printf "%.6f %.6f\n", x, v
}
