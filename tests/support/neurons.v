// The neurons' equations, stated by hand from their documentation and from nothing else: in plain
// Verilog, on integers wide enough that nothing overflows, one clause a sentence.

`define INT signed [19:0]

// What spiking neurons share. RESET: 0 subtract, 1 zero, 2 value, 3 none. TIMING, of the reset:
// 0 immediate, 1 next step, 2 next step with its input kept, 3 immediate as in snnTorch.
module soma #(
    parameter WIDTH = 5, RESET = 0, TIMING = 0, AT_LEAST = 0, KEPT = 0,
    parameter `INT FLOOR = -16
) (
    input `INT before, input `INT leaked, input `INT x, input `INT theta, input `INT reset_value,
    input `INT refractory, input `INT countdown, input `INT pending,
    output reg fired, output reg `INT v, output reg `INT countdown_after,
    output reg `INT pending_after
);
    localparam `INT HIGH = (1 << (WIDTH - 1)) - 1;
    reg silent;
    reg `INT tested;
    always @* begin
        silent = countdown != 0;

        // A reset in the next step that keeps its input replaces the leaked potential.
        v = leaked;
        if (TIMING == 2 && pending != 0) begin
            if (RESET == 1) v = 0;
            if (RESET == 2) v = reset_value;
        end

        // The input of silent steps is lost, or integrated as ever.
        if (!silent || KEPT) v = v + x;

        // One that does not: the threshold is subtracted from the sum, or the sum is replaced.
        if (TIMING == 1 && pending != 0) begin
            if (RESET == 0) v = v - theta;
            if (RESET == 1) v = 0;
            if (RESET == 2) v = reset_value;
        end

        // The potential saturates once.
        if (v < FLOOR) v = FLOOR;
        if (v > HIGH) v = HIGH;

        // It fires past the threshold, unless it is refractory. As in snnTorch, the threshold is
        // subtracted before the test where the potential was past it before; the potential stays.
        tested = v;
        if (TIMING == 3 && (before > theta || (AT_LEAST && before == theta))) tested = v - theta;
        fired = (tested > theta || (AT_LEAST && tested == theta)) && !silent;

        // A reset in the same step.
        if ((TIMING == 0 || TIMING == 3) && fired) begin
            if (RESET == 0) v = v - theta;
            if (RESET == 1) v = 0;
            if (RESET == 2) v = reset_value;
        end

        // Who fires is silent for its refractory steps.
        countdown_after = countdown;
        if (silent) countdown_after = countdown - 1;
        if (fired) countdown_after = refractory;

        // And its reset is still to take place, if that is in the next step.
        pending_after = (TIMING == 1 || TIMING == 2) ? {19'd0, fired} : pending;
    end
endmodule

// What a decay leaves of a value: the value less floor(value * numerator / 2**BITS).
module decayed #(parameter BITS = 3) (
    input `INT value, input `INT numerator, output `INT left
);
    wire `INT product = value * numerator;
    wire `INT remainder = product & ((1 << BITS) - 1);
    assign left = value - (product - remainder) / (1 << BITS);
endmodule

// A value moved to the nearest end of a range that it is not in.
module limited #(parameter `INT LOW = 0, HIGH = 0) (input `INT value, output `INT within);
    assign within = value < LOW ? LOW : value > HIGH ? HIGH : value;
endmodule

// v = v + x
module if_neuron #(
    parameter WIDTH = 5, RESET = 0, TIMING = 0, AT_LEAST = 0, KEPT = 0,
    parameter `INT FLOOR = -16
) (
    input `INT x, input `INT threshold, input `INT reset_value,
    input `INT refractory, input `INT v, input `INT countdown, input `INT pending,
    output fired, output `INT v_after, output `INT countdown_after, output `INT pending_after
);
    soma #(WIDTH, RESET, TIMING, AT_LEAST, KEPT, FLOOR) soma (
        v, v, x, threshold, reset_value, refractory, countdown, pending,
        fired, v_after, countdown_after, pending_after);
endmodule

// v = rest + decay(v - rest) + x
module lif_neuron #(
    parameter WIDTH = 5, RESET = 0, TIMING = 0, AT_LEAST = 0, KEPT = 0,
    parameter `INT FLOOR = -16, parameter BITS = 3
) (
    input `INT x, input `INT threshold, input `INT reset_value, input `INT decay,
    input `INT rest,
    input `INT refractory, input `INT v, input `INT countdown, input `INT pending,
    output fired, output `INT v_after, output `INT countdown_after, output `INT pending_after
);
    wire `INT left;
    wire `INT leaked = rest + left;
    decayed #(BITS) leak (v - rest, decay, left);
    soma #(WIDTH, RESET, TIMING, AT_LEAST, KEPT, FLOOR) soma (
        v, leaked, x, threshold, reset_value, refractory, countdown, pending,
        fired, v_after, countdown_after, pending_after);
endmodule

// i = current_decay(i) + x, v = rest + decay(v - rest) + i, all in the same step
module current_lif_neuron #(
    parameter WIDTH = 5, RESET = 0, TIMING = 0, AT_LEAST = 0, KEPT = 0,
    parameter `INT FLOOR = -16,
    parameter BITS = 3, CURRENT_WIDTH = 4
) (
    input `INT x, input `INT threshold, input `INT reset_value, input `INT decay,
    input `INT rest,
    input `INT current_decay,
    input `INT refractory, input `INT v, input `INT countdown, input `INT pending, input `INT i,
    output fired, output `INT v_after, output `INT countdown_after, output `INT pending_after,
    output `INT i_after
);
    localparam `INT ONE = 1;
    wire `INT left, remains;
    wire `INT leaked = rest + left;
    decayed #(BITS) leak (v - rest, decay, left);
    decayed #(BITS) fall (i, current_decay, remains);
    limited #(-(ONE << (CURRENT_WIDTH - 1)), (ONE << (CURRENT_WIDTH - 1)) - 1)
        synapse (remains + x, i_after);
    soma #(WIDTH, RESET, TIMING, AT_LEAST, KEPT, FLOOR) soma (
        v, leaked, i_after, threshold, reset_value, refractory, countdown, pending,
        fired, v_after, countdown_after, pending_after);
endmodule

// v = rest + decay(v - rest) + x against threshold + a; a = rise_decay(a) + rise * fired
module adaptive_lif_neuron #(
    parameter WIDTH = 5, RESET = 0, TIMING = 0, AT_LEAST = 0, KEPT = 0,
    parameter `INT FLOOR = -16, parameter BITS = 3
) (
    input `INT x, input `INT threshold, input `INT reset_value, input `INT decay,
    input `INT rest,
    input `INT rise, input `INT rise_decay,
    input `INT refractory, input `INT v, input `INT countdown, input `INT pending, input `INT a,
    output fired, output `INT v_after, output `INT countdown_after, output `INT pending_after,
    output `INT a_after
);
    localparam `INT ONE = 1;
    wire `INT left, fallen;
    wire `INT leaked = rest + left;
    decayed #(BITS) leak (v - rest, decay, left);
    decayed #(BITS) fall (a, rise_decay, fallen);
    limited #(0, (ONE << (WIDTH - 1)) - 1) rises (fallen + (fired ? rise : 20'sd0), a_after);
    soma #(WIDTH, RESET, TIMING, AT_LEAST, KEPT, FLOOR) soma (
        v, leaked, x, threshold + a, reset_value, refractory, countdown, pending,
        fired, v_after, countdown_after, pending_after);
endmodule

// v = rest + decay(v - rest) + x, at least FLOOR, and never a spike
module integrator_neuron #(parameter WIDTH = 5, BITS = 3, parameter `INT FLOOR = -16) (
    input `INT x, input `INT decay, input `INT rest, input `INT v, output `INT v_after
);
    localparam `INT ONE = 1;
    wire `INT left;
    wire `INT leaked = rest + left;
    decayed #(BITS) leak (v - rest, decay, left);
    limited #(FLOOR, (ONE << (WIDTH - 1)) - 1) limit (leaked + x, v_after);
endmodule

// An integrator whose output is its potential in units of a resolution, to the nearest integer.
module dendrite_neuron #(
    parameter WIDTH = 5, BITS = 3, parameter `INT FLOOR = -16,
    parameter `INT RESOLUTION = 1, LOW = 0, HIGH = 1
) (
    input `INT x, input `INT decay, input `INT rest, input `INT v, output `INT v_after,
    output `INT value
);
    localparam `INT TWO = 2;
    integrator_neuron #(WIDTH, BITS, FLOOR) integrator (x, decay, rest, v, v_after);
    // Far above 0, where a division rounds down: by 64 units, which are subtracted again.
    wire `INT doubled = TWO * v_after + RESOLUTION + TWO * RESOLUTION * 64;
    limited #(LOW, HIGH) limit (doubled / (TWO * RESOLUTION) - 64, value);
endmodule

// v = v + x, and never a spike
module accumulator_neuron #(parameter WIDTH = 5) (
    input `INT x, input `INT v, output `INT v_after
);
    localparam `INT ONE = 1;
    limited #(-(ONE << (WIDTH - 1)), (ONE << (WIDTH - 1)) - 1) limit (v + x, v_after);
endmodule
