//! Programs to read in order, each complete in one file: from one neuron by hand to a GPT that writes (01 to 06), the
//! shortest way to a good loss and the law behind it (07, 08), and what a small GPT can be taught (09 to 13).
//!
//! | example | what it shows |
//! |---|---|
//! | `01_by_hand` | one neuron, the chain rule on paper, gradient descent; no library at all |
//! | `02_tape` | the same neuron on a tape: printed as equations and as a graph, adjoints as they are computed |
//! | `03_your_own_op` | an operation of your own; a wrong backward, how it is caught, and training with the right one |
//! | `04_bigram` | the smallest language model, counted and trained, and why both give the same table |
//! | `05_char_gpt` | from a text file to a trained GPT and its samples: the whole program |
//! | `06_sample` | one model, many ways to write: greedy, temperature, top-k, top-p |
//! | `07_speedrun` | the preset `shakespeare` against the clock, seed by seed |
//! | `08_scaling` | sixteen trainings, a law fitted to them, and the true entropy beside it |
//! | `09_sentiment` | praise or blame in two languages, beside naive Bayes and the best possible |
//! | `10_lora` | LoRA beside training everything, and what merging is |
//! | `11_few_shot` | a model that learns label words from examples before the question, of classes it has no labels of |
//! | `12_translation` | a prefix language model and a beam, exact matches on sentences never seen |
//! | `13_chatbot` | an assistant that books tables, and how many dialogues it gets right |
//!
//! Run one with `cargo run --release -p examples --example 01_by_hand`. The environment variable
//! `NEWLEAF_EXAMPLE_STEPS` sets the number of training steps of those that train (from 3 on), for a quick look
//! or for a longer one.
//!
//! This library is empty: the programs are the files beside it.
