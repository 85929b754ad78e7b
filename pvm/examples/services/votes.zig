// Counts votes (a JAM service in Zig, for `pvm cc votes.zig -o votes.jam --metadata votes`; Gray Paper 0.7.2).
//
// Each octet of a work item's payload is a vote for the candidate of that number. Refine counts them: the candidate (1),
// how many votes (4, little-endian). Accumulate adds that to the storage, where each candidate has its number.

const payload = 13;
const input = 15;
const longest = 0x8000;
const self = ~@as(u64, 0);

const Octets = extern struct { data: ?[*]const u8, length: usize };

// Of the run-time library (pvm.h).
extern fn pvm_natural(at: *[*]const u8) u64;
extern fn pvm_print(text: [*:0]const u8) void;
extern fn pvm_panic() noreturn;

var text: [longest]u8 = undefined;
var output: [5 * 256]u8 = undefined;

fn fetch(out: []u8, kind: u64, index: u64) u64 {
    return asm volatile (".insn i 0x0b, 7, x0, x0, 1"
        : [result] "={a0}" (-> u64),
        : [out] "{a0}" (out.ptr),
          [offset] "{a1}" (@as(u64, 0)),
          [size] "{a2}" (out.len),
          [kind] "{a3}" (kind),
          [index] "{a4}" (index),
          [second] "{a5}" (@as(u64, 0)),
        : .{ .memory = true });
}

fn read(key: []const u8, out: []u8) u64 {
    return asm volatile (".insn i 0x0b, 7, x0, x0, 3"
        : [result] "={a0}" (-> u64),
        : [service] "{a0}" (self),
          [key] "{a1}" (key.ptr),
          [key_size] "{a2}" (key.len),
          [out] "{a3}" (out.ptr),
          [offset] "{a4}" (@as(u64, 0)),
          [size] "{a5}" (out.len),
        : .{ .memory = true });
}

fn write(key: []const u8, value: []const u8) u64 {
    return asm volatile (".insn i 0x0b, 7, x0, x0, 4"
        : [result] "={a0}" (-> u64),
        : [key] "{a0}" (key.ptr),
          [key_size] "{a1}" (key.len),
          [value] "{a2}" (value.ptr),
          [size] "{a3}" (value.len),
        : .{ .memory = true });
}

export fn refine(arguments: [*]const u8, _: usize) Octets {
    var at = arguments;
    _ = pvm_natural(&at); // the core
    const size = fetch(&text, payload, pvm_natural(&at));
    if (size > longest) pvm_panic();
    var counts: [256]u32 = @splat(0);
    for (text[0..size]) |candidate| counts[candidate] += 1;
    var length: usize = 0;
    for (counts, 0..) |count, candidate| {
        if (count == 0) continue;
        output[length] = @intCast(candidate);
        for (0..4) |n| output[length + 1 + n] = @truncate(count >> @intCast(8 * n));
        length += 5;
    }
    return .{ .data = &output, .length = length };
}

fn number(octets: []const u8) u32 {
    var value: u32 = 0;
    for (octets, 0..) |octet, n| value |= @as(u32, octet) << @intCast(8 * n);
    return value;
}

export fn accumulate(arguments: [*]const u8, _: usize) Octets {
    var place = arguments;
    _ = pvm_natural(&place); // the slot
    _ = pvm_natural(&place); // the service
    for (0..pvm_natural(&place)) |index| {
        _ = fetch(&text, input, index);
        if (text[0] != 0) continue; // a transfer
        var at: [*]const u8 = text[1 + 4 * 32 ..].ptr; // behind the kind and four hashes
        _ = pvm_natural(&at); // gas
        if (at[0] != 0) {
            pvm_print("an item has no output");
            continue;
        }
        at += 1;
        const size = pvm_natural(&at);
        var done: usize = 0;
        while (done < size) : (done += 5) {
            var stored: [4]u8 = @splat(0);
            const key = at[done .. done + 1];
            _ = read(key, &stored);
            const sum = number(&stored) + number(at[done + 1 .. done + 5]);
            for (0..4) |n| stored[n] = @truncate(sum >> @intCast(8 * n));
            if (write(key, &stored) == ~@as(u64, 0) - 4) pvm_print("no room for a candidate"); // FULL
        }
    }
    return .{ .data = null, .length = 0 };
}
