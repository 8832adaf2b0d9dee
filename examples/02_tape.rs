//! The neuron of `01_by_hand` on a tape, which does by itself what was done there by hand.
//!
//! Run: `cargo run --release -p examples --example 02_tape`, and with `-- --dot tape.dot` for a picture of the tape too:
//! `dot -Tsvg tape.dot -o tape.svg` draws it (Graphviz).

use ndarray::{arr0, arr1};
use tensor::{Grads, Params, Shape, Tape, Workspace};

/// What `01_by_hand` printed.
const LOSS: f32 = 1.854_29;
const DZ: f32 = 0.701_105;
const DW: [f32; 2] = [1.051_658, -1.402_211];
const DB: f32 = 0.701_105;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dot = dot_file()?;

    // Parameters live outside of any tape: a tape is one forward pass, and there will be many.
    let mut params = Params::new();
    let w = params.add("w", [2], |w| w.copy_from_slice(&[0.4, -0.3]));
    let b = params.add("b", Shape::scalar(), |b| b[0] = 0.1);
    let mut grads = Grads::new(&params); // one gradient for each parameter
    let workspace = Workspace::new(); // where the memory of the tapes comes from and returns to

    let tape = Tape::new(&params, &workspace);
    let (w_var, b_var) = (tape.param(w), tape.param(b));
    let x = tape.constant(&arr1(&[1.5, -2.0]).into_dyn());
    let t = tape.constant(&arr0(-0.5).into_dyn());

    // This reads like the formula, computes like the formula, and writes down what it does.
    let z = (w_var * x).sum() + b_var;
    let y = z.tanh();
    let e = y - t;
    let loss = e * e;

    println!(
        "The tape, a list of equations in the order in which they were computed. x and t are lines of it too; the \
         parameters\nw and b were there before, so they have names and no line:\n\n{tape}"
    );
    println!("loss = {:.6}\n", loss.item());

    // Backward: a loop over that list, from the end. Every line asks its operation for the chain rule, and
    // sends what comes out to the line's inputs. `backward_from` shows each adjoint, dL/d(this line), when it
    // is complete. (`loss.backward(&mut grads)` does the same and shows nothing.)
    println!("The adjoints, newest first:\n");
    let mut dz = f32::NAN;
    loss.backward_from(&[1.0], &mut grads, |index, adjoint| {
        let equation = tape.equation(index);
        println!("  {equation:<24} dL/d%{index} = {adjoint:?}");
        if equation.contains("= add") {
            dz = adjoint[0]; // z is the only sum of two things here
        }
    });
    // What a parameter is sent goes to `grads`, where it outlives the tape. (e * e uses e twice: its adjoint
    // 2e is the sum of two contributions e. Constants are sent nothing.)
    println!("\n  dL/dw = {:?}   dL/db = {:?}\n", grads.get(w).unwrap(), grads.get(b).unwrap());

    let close =
        |found: f32, expected: f32| assert!((found - expected).abs() < 2e-6, "{found}, not {expected}");
    close(loss.item(), LOSS);
    close(dz, DZ);
    grads.get(w).unwrap().iter().zip(DW).for_each(|(&found, expected)| close(found, expected));
    close(grads.get(b).unwrap()[0], DB);
    println!("The same numbers as by hand.\n");

    println!("Memory:\n\n{}\n", tape.memory_report());
    match dot {
        None => println!("The same as a picture for Graphviz: add `-- --dot tape.dot` to the command.\n"),
        Some(file) => {
            let name = file.display();
            std::fs::write(&file, tape.to_dot()).map_err(|error| format!("{name}: {error}"))?;
            println!("Wrote {name}. Draw it with `dot -Tsvg {name} -o tape.svg`.\n");
        }
    }

    // Learning. The tape borrows `params`, so it must go before they change: delete this line, and the
    // program does not compile. Its buffers go back to the workspace, and the next tape takes them from
    // there.
    drop(tape);
    println!("Ten steps downhill:\n");
    for step in 0..=10 {
        let tape = Tape::new(&params, &workspace);
        let x = tape.constant(&arr1(&[1.5, -2.0]).into_dyn());
        let t = tape.constant(&arr0(-0.5).into_dyn());
        let y = ((tape.param(w) * x).sum() + tape.param(b)).tanh();
        let loss = (y - t) * (y - t);
        grads.clear(); // or the gradients would be added to those of the step before
        loss.backward(&mut grads);
        println!("  step {step:>2}   y = {:>8.5}   L = {:.6}", y.item(), loss.item());
        drop(tape);
        for id in params.ids() {
            let gradient = grads.get(id).unwrap();
            params.data_mut(id).iter_mut().zip(gradient).for_each(|(p, g)| *p -= 0.1 * g);
        }
    }
    let stats = workspace.stats();
    println!("\nBuffers allocated: {}; handed out again: {}.", stats.misses, stats.hits);
    Ok(())
}

/// The file of `--dot FILE`, if it is given.
fn dot_file() -> Result<Option<std::path::PathBuf>, String> {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(None),
        (Some(flag), Some(file), None) if flag == "--dot" => Ok(Some(file.into())),
        _ => Err("expected no arguments, or --dot FILE".to_string()),
    }
}
