//! Slots of plugins that are not called as others are.

mod aside;
mod waiting;
