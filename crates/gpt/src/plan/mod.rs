//! Before a training: what it would cost, and which model a given time is best spent on.

mod cost;
