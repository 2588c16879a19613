//! Every limit of templates, with its reason.

/// Bytes of a text that is parsed. Larger files are data, not configuration, and stay as they are.
pub const TEMPLATE_BYTES: usize = 4 << 20;
/// How deep blocks may lie in blocks, and expressions in expressions. People write three or four.
pub const DEPTH: usize = 32;
/// Parts of a name after its first, in `Foo.Bar[key]` two. Of each the value may be the one that holds the rest, so that
/// looking a name up costs as many names as it has parts.
pub const NAME_PARTS: usize = 64;
/// How deep rendering may go altogether: blocks, expressions, and values inside values. It bounds the stack.
pub const RENDER_DEPTH: usize = 64;
/// Problems that are kept of one text: a file that is no template at all would otherwise have one for every byte.
pub const PROBLEMS: usize = 100;
/// Bytes of a rendered text, and of every text on the way to it.
pub const RENDERED_BYTES: usize = 16 << 20;
/// Bytes that may be read and written while one text is rendered: some seconds at worst. Values that multiply each
/// other reach it after a few lines.
pub const WORK: usize = 64 << 20;
/// How much [`WORK`] every step costs, however few bytes it reads or writes.
pub const STEP_WORK: usize = 32;
/// How much [`WORK`] it costs at least to resolve `#{…}` in one value, which takes about as long as reading so many
/// bytes.
pub const EXPANSION_WORK: usize = 256;
/// How much [`WORK`] an element of a collection costs, which takes about so much memory.
pub const ELEMENT_WORK: usize = 64;
/// Bytes of a text that is looked at as JSON: taken apart it needs many times the memory.
pub const JSON_BYTES: usize = 1 << 20;
/// Bytes that a filter takes, and that it may make of them.
pub const FILTERED_BYTES: usize = 1 << 20;
/// Bytes of a compiled regular expression, which bounds its states: what a search costs per byte of text.
pub const PATTERN_BYTES: usize = 16 << 10;
/// How much [`WORK`] a byte costs that a regular expression may look at.
pub const PATTERN_WORK: usize = 2;
/// The widest indentation and the most digits that a filter can be asked for as a number, as in Octostache.
pub const WIDTH: usize = 255;
