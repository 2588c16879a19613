//! Promotion (SEMANTICS 4): the worked example as it is written, and models over small lifecycles.

mod every;
mod random;
mod worked_example;
