//! Who may get what (THREATS A1 to A4, C2): the access matrix, and histories against a model of the operators.

mod histories;
mod matrix;
mod persons;
