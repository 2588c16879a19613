//! `#{…}` substitution in Octostache's syntax (SEMANTICS 6): what a text needs, and what it becomes.
//!
//! What lives here: parsing ([`Template`]), the names that a text can read ([`Reference`], [`script_references`])
//! or sets ([`script_outputs`]),
//! rendering against values that somebody else holds ([`Lookup`]), filters, and quoting for shells ([`Shell`]). What
//! does not: where values come from, which value wins, which files are named for substitution, a clock, randomness.
//!
//! ```
//! use std::borrow::Cow;
//! use windlass_templates::{Kind, Lookup, Render, Template, Value};
//!
//! struct One;
//! impl Lookup for One {
//!     fn get(&self, name: &str) -> Option<Value<'_>> {
//!         let known = name.eq_ignore_ascii_case("Server");
//!         known.then_some(Value { text: Cow::Borrowed("Web01"), kind: Kind::Code, sensitive: false })
//!     }
//!     fn get_for_data(&self, _name: &str) -> Option<Cow<'_, str>> {
//!         None
//!     }
//!     fn names_with_prefix(&self, _prefix: &str) -> Vec<String> {
//!         Vec::new()
//!     }
//! }
//!
//! let rendered = Template::parse("http://#{server | ToLower}:#{Port}").render(&One, Render::default())?;
//! assert_eq!(rendered.text, "http://web01:#{Port}");
//! assert!(rendered.unknown.contains("Port"));
//! # Ok::<(), windlass_templates::RenderError>(())
//! ```

#![forbid(unsafe_code)]

mod filters;
mod json;
pub mod limits;
mod lookup;
mod parse;
mod places;
mod problem;
mod reference;
mod render;
mod scripts;
mod shell;
mod syntax;
mod walk;

pub use lookup::{Kind, Lookup, Value};
pub use problem::{Fault, Problem};
pub use reference::Reference;
pub use render::{Render, RenderError, Rendered, render_value};
pub use scripts::{script_outputs, script_references};
pub use shell::Shell;
pub use syntax::Template;
pub use walk::Insertions;
