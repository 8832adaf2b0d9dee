//! AdamW in one pass over all parameters. The formulas are in `nn::optim::AdamW`.

use gpt::config::TrainConfig;
use tensor::kernels::parallel;
use tensor::kernels::simd::{Kernel, LANES, Simd, dispatch};
use tensor::{AlignedVec, Params};

/// The moments of every parameter and the settings.
pub(super) struct AdamW {
    moments: Vec<[AlignedVec; 2]>, // of g and g^2, by ParamId::index
    betas: [f64; 2],
    powers: [f64; 2], // beta^t after t steps
    eps: f64,
    weight_decay: f64,
}

impl AdamW {
    pub(super) fn new(params: &Params, train: &TrainConfig) -> Self {
        let zeros = |id| AlignedVec::zeros(params.data(id).len());
        Self {
            moments: params.ids().map(|id| [zeros(id), zeros(id)]).collect(),
            betas: [train.beta1, train.beta2],
            powers: [1.0; 2],
            eps: train.eps,
            weight_decay: train.weight_decay,
        }
    }

    pub(super) fn step(&mut self, params: &mut Params, grads: &[AlignedVec], lr: f32, grad_scale: f32) {
        (0..2).for_each(|i| self.powers[i] *= self.betas[i]);
        let rates = Rates::new(self.betas, self.powers, self.eps, lr, grad_scale);
        let shrink = (f64::from(lr) * self.weight_decay) as f32; // matrices only
        let decays: Vec<bool> = params.ids().map(|id| params.shape(id).len() >= 2).collect();
        let mut pieces = Vec::new();
        for (((id, p), g), [m, v]) in params.all_mut().zip(grads).zip(&mut self.moments) {
            let rates = if decays[id.index()] { Rates { shrink, ..rates } } else { rates };
            let len = parallel::chunk_len();
            let moments = m.chunks_mut(len).zip(v.chunks_mut(len));
            let chunks = p.chunks_mut(len).zip(g.chunks(len)).zip(moments);
            pieces.extend(chunks.map(|((p, g), (m, v))| Piece { rates, p, g, m, v }));
        }
        parallel::for_each_of(pieces, dispatch);
    }
}

/// What is the same for all elements of a parameter.
#[derive(Clone, Copy)]
struct Rates {
    grad_scale: f32,
    shrink: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    step_size: f32,
    inv_sqrt_correction2: f32,
    eps: f32,
}

impl Rates {
    fn new([beta1, beta2]: [f64; 2], powers: [f64; 2], eps: f64, lr: f32, grad_scale: f32) -> Self {
        Self {
            grad_scale,
            shrink: 0.0,
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            step_size: (f64::from(lr) / (1.0 - powers[0])) as f32,
            inv_sqrt_correction2: (1.0 / (1.0 - powers[1]).sqrt()) as f32,
            eps: eps as f32,
        }
    }
}

/// A part of one parameter.
struct Piece<'a> {
    rates: Rates,
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl Kernel for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rates, p, g, m, v } = self;
        let (p, p_tail) = p.as_chunks_mut::<LANES>();
        let ((m, m_tail), (v, v_tail)) = (m.as_chunks_mut::<LANES>(), v.as_chunks_mut::<LANES>());
        let (g, g_tail) = g.as_chunks::<LANES>();
        for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            update(s, rates, p, g, m, v);
        }
        let tail = p_tail.len();
        if tail > 0 {
            let mut lanes = [[0.0; LANES]; 4];
            let parts: [&[f32]; 4] = [p_tail, g_tail, m_tail, v_tail];
            lanes.iter_mut().zip(parts).for_each(|(lanes, part)| lanes[..tail].copy_from_slice(part));
            let [p, g, m, v] = &mut lanes;
            update(s, rates, p, g, m, v);
            [(p_tail, p), (m_tail, m), (v_tail, v)]
                .into_iter()
                .for_each(|(to, from)| to.copy_from_slice(&from[..tail]));
        }
    }
}

#[inline(always)]
fn update<S: Simd>(
    s: S,
    r: Rates,
    p_at: &mut [f32; LANES],
    g: &[f32; LANES],
    m_at: &mut [f32; LANES],
    v_at: &mut [f32; LANES],
) {
    let (p, m, v) = (s.load(p_at), s.load(m_at), s.load(v_at));
    let g = s.mul(s.load(g), s.splat(r.grad_scale));
    let p = s.fma(s.splat(-r.shrink), p, p);
    let m = s.fma(s.splat(r.one_minus_beta1), s.sub(g, m), m);
    let v = s.fma(s.mul(s.splat(r.one_minus_beta2), g), g, s.mul(s.splat(r.beta2), v));
    let denominator = s.fma(s.sqrt(v), s.splat(r.inv_sqrt_correction2), s.splat(r.eps));
    s.store(s.fma(s.splat(-r.step_size), s.div(m, denominator), p), p_at);
    s.store(m, m_at);
    s.store(v, v_at);
}
