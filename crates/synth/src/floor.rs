//! The best possible loss of a generator, in parts.

/// How a floor was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// By a formula; exact up to rounding.
    Closed,
    /// As the middle between a lower and an upper bound, both computed.
    Bounded {
        /// Half their distance, in nats: the floor is off by no more.
        error: f64,
    },
}

/// What one part of a document costs on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartFloor {
    /// Its name.
    pub name: &'static str,
    /// Whether its symbols count in the loss; those of a prompt do not.
    pub counted: bool,
    /// Expected nats of the part in a document (of a symbol, for a stream).
    pub nats: f64,
    /// Expected symbols of the part in a document (of a symbol, for a stream).
    pub symbols: f64,
}

/// The best possible loss: expected costs and lengths of the parts of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    /// The parts, in the order of [`Document::parts`](crate::Document::parts).
    pub parts: Vec<PartFloor>,
    /// How they were found.
    pub method: Method,
}

impl Method {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Method::Closed => "closed",
            Method::Bounded { .. } => "bounded",
        }
    }
}

impl Floor {
    /// The floor of a stream in which every symbol counts, after a start that does not (part 1).
    pub fn stream(nats: f64, method: Method) -> Floor {
        let symbol = PartFloor { name: "symbol", counted: true, nats, symbols: 1.0 };
        let start = PartFloor { name: "start", counted: false, nats: 0.0, symbols: 0.0 };
        Floor { parts: vec![symbol, start], method }
    }

    /// Nats a counted symbol: (expected nats) / (expected symbols) of a document.
    pub fn nats_per_symbol(&self) -> f64 {
        let counted = || self.parts.iter().filter(|part| part.counted);
        ratio(counted().map(|part| part.nats).sum(), counted().map(|part| part.symbols).sum())
    }

    /// How far off the floor itself can be, in nats: 0 unless it lies between bounds.
    pub fn error(&self) -> f64 {
        match self.method {
            Method::Closed => 0.0,
            Method::Bounded { error } => error,
        }
    }
}

impl PartFloor {
    /// Nats a symbol of the part; 0 for a part without symbols.
    pub fn nats_per_symbol(&self) -> f64 {
        ratio(self.nats, self.symbols)
    }
}

fn ratio(nats: f64, symbols: f64) -> f64 {
    if symbols > 0.0 { nats / symbols } else { 0.0 }
}
