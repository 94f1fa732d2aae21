//! Texts that programs trip over. One table, read by text, JSON, arrays, composites and whatever holds text.

/// The length of the rare long text, in characters of one octet.
pub(super) const LONG_CHARACTERS: usize = 1 << 20;
/// How rare it is among awkward texts.
pub(super) const LONG_SHARE: f64 = 0.002;

/// None of them has U+0000, which PostgreSQL's text cannot hold.
pub(super) const TEXTS: [&str; 62] = [
    // Nothing, and what is taken for nothing.
    "",
    " ",
    "   ",
    "NULL",
    "null",
    "<null>",
    "<NULL>",
    "None",
    "nil",
    "undefined",
    "N/A",
    "\\N",
    "\\.",
    "-",
    // What looks like another type.
    "007",
    "12e456",
    "0x1F",
    "1.0",
    "1.00",
    "-0",
    "+1",
    "1,5",
    "1e5",
    "NaN",
    "inf",
    "Infinity",
    "true",
    "t",
    "2026-02-30",
    "{1,2}",
    "{\"a\": 1}",
    "(1,2)",
    "\\x00ff",
    // What ends a literal, a line, a command or a pattern.
    "it's",
    "\"double\"",
    "\\",
    "\\\\",
    "a\\b\\n",
    "line\nbreak",
    "carriage\r\nreturn",
    "\ttab\t",
    "%_*?[x]",
    "'; DROP TABLE x; --",
    "-- comment",
    "/* comment */",
    "$$",
    "a;b",
    "semi,colon",
    "`tick`",
    "&amp;<b>",
    // Blanks at the ends, which char(n) and some programs take away.
    "  leading",
    "trailing  ",
    "\u{a0}no-break\u{a0}",
    // Combining characters beside the composed one; Angstrom, Kelvin; a ligature; case without a pair.
    "e\u{301} is not \u{e9}",
    "\u{c5} \u{212b} A\u{30a} \u{212a}",
    "Stra\u{df}e \u{130}\u{131} \u{fb01}",
    // Right-to-left text with its controls; joiners; four octets; the last code point; controls; a byte order mark.
    "\u{645}\u{631}\u{62d}\u{628}\u{627} \u{202e}reversed\u{202c} \u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f600}",
    "\u{10ffff}\u{fffd}\u{fffe}",
    "\u{1}\u{7}\u{8}\u{1b}\u{1f}\u{7f}\u{80}\u{9f}",
    "\u{feff}mark",
    "\u{200b}\u{200c}\u{2028}\u{2029}",
];

/// Words for ordinary text.
pub(super) const WORDS: [&str; 64] = [
    "amber", "anchor", "apple", "autumn", "basin", "beach", "birch", "bridge", "brook", "candle", "canyon", "cedar",
    "cliff", "cloud", "coast", "copper", "coral", "crane", "delta", "dune", "eagle", "ember", "falcon", "fern",
    "field", "flint", "forest", "garden", "glacier", "grove", "harbor", "hazel", "heron", "island", "ivory", "jasper",
    "kelp", "lagoon", "lantern", "linen", "maple", "marsh", "meadow", "mist", "north", "oak", "ocean", "olive",
    "orchard", "pearl", "pine", "quartz", "rain", "reed", "ridge", "river", "sand", "slate", "spruce", "stone", "tide",
    "valley", "willow", "winter",
];
