// A naive side of compare.py: the GPT of ../gpt_torch.py trained by plain nested loops, with OpenMP over the outer
// ones and no library for the arithmetic. What it shows is how far a compiler alone gets.
//
//   gcc -Ofast -march=native -fopenmp naive.c -o naive -lm
//
// Activations are row-major, (B * T, channels). Every layer's activations are kept for the backward pass. Matrices
// are (out, in), as in PyTorch. A function's name ends in _backward where it computes gradients; those of parameters
// and of the residual stream are added to what is there, all others are written.

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { VOCAB = 65, WARM_UP_FIRST = 3, WARM_UP_AGAIN = 1 };

static float *zeros(size_t count) {
    float *p = calloc(count, sizeof(float));
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

// ---------------------------------------------------------------------------------------------------------- layers

// out (rows, outs) = x (rows, ins) times w^T
static void linear(float *restrict out, const float *restrict x, const float *restrict w, int rows, int ins, int outs) {
#pragma omp parallel for
    for (int r = 0; r < rows; r++) {
        for (int o = 0; o < outs; o++) {
            float sum = 0;
            for (int i = 0; i < ins; i++) sum += x[(size_t)r * ins + i] * w[(size_t)o * ins + i];
            out[(size_t)r * outs + o] = sum;
        }
    }
}

static void linear_backward(float *restrict dx, float *restrict dw, const float *restrict dout, const float *restrict x,
                            const float *restrict w, int rows, int ins, int outs) {
#pragma omp parallel for
    for (int r = 0; r < rows; r++) {
        float *d = dx + (size_t)r * ins;
        memset(d, 0, ins * sizeof(float));
        for (int o = 0; o < outs; o++) {
            float g = dout[(size_t)r * outs + o];
            for (int i = 0; i < ins; i++) d[i] += g * w[(size_t)o * ins + i];
        }
    }
#pragma omp parallel for
    for (int o = 0; o < outs; o++) {
        float *d = dw + (size_t)o * ins;
        for (int r = 0; r < rows; r++) {
            float g = dout[(size_t)r * outs + o];
            for (int i = 0; i < ins; i++) d[i] += g * x[(size_t)r * ins + i];
        }
    }
}

static void layer_norm(float *restrict out, float *restrict mean, float *restrict rstd, const float *restrict x,
                       const float *restrict gamma, int rows, int c) {
#pragma omp parallel for
    for (int r = 0; r < rows; r++) {
        const float *in = x + (size_t)r * c;
        float sum = 0, squares = 0;
        for (int i = 0; i < c; i++) sum += in[i];
        float m = sum / c;
        for (int i = 0; i < c; i++) squares += (in[i] - m) * (in[i] - m);
        float s = 1 / sqrtf(squares / c + 1e-5f);
        for (int i = 0; i < c; i++) out[(size_t)r * c + i] = (in[i] - m) * s * gamma[i];
        mean[r] = m;
        rstd[r] = s;
    }
}

static void layer_norm_backward(float *restrict dx, float *restrict dgamma, const float *restrict dout,
                                const float *restrict x, const float *restrict mean, const float *restrict rstd,
                                const float *restrict gamma, int rows, int c) {
#pragma omp parallel for reduction(+ : dgamma[:c])
    for (int r = 0; r < rows; r++) {
        const float *in = x + (size_t)r * c, *g = dout + (size_t)r * c;
        float m = mean[r], s = rstd[r], sum = 0, dot = 0;
        for (int i = 0; i < c; i++) {
            float normed = (in[i] - m) * s, scaled = g[i] * gamma[i];
            sum += scaled;
            dot += scaled * normed;
            dgamma[i] += g[i] * normed;
        }
        for (int i = 0; i < c; i++) {
            float normed = (in[i] - m) * s;
            dx[(size_t)r * c + i] += s * (g[i] * gamma[i] - sum / c - normed * dot / c);
        }
    }
}

// qkv: rows of q, k, v, each of c channels; att: (B, NH, T, T), whose part above the diagonal is never touched
static void attention(float *restrict out, float *restrict att, const float *restrict qkv, int b, int t, int c, int nh) {
    int hs = c / nh;
    float scale = 1 / sqrtf(hs);
#pragma omp parallel for collapse(2)
    for (int n = 0; n < b; n++) {
        for (int h = 0; h < nh; h++) {
            for (int i = 0; i < t; i++) {
                const float *q = qkv + ((size_t)n * t + i) * 3 * c + h * hs;
                float *a = att + (((size_t)n * nh + h) * t + i) * t;
                float *y = out + ((size_t)n * t + i) * c + h * hs;
                float greatest = -1e30f, sum = 0; // -Ofast knows no infinity
                for (int j = 0; j <= i; j++) {
                    const float *k = qkv + ((size_t)n * t + j) * 3 * c + c + h * hs;
                    float score = 0;
                    for (int d = 0; d < hs; d++) score += q[d] * k[d];
                    a[j] = score * scale;
                    greatest = a[j] > greatest ? a[j] : greatest;
                }
                for (int j = 0; j <= i; j++) sum += a[j] = expf(a[j] - greatest);
                for (int d = 0; d < hs; d++) y[d] = 0;
                for (int j = 0; j <= i; j++) {
                    const float *v = qkv + ((size_t)n * t + j) * 3 * c + 2 * c + h * hs;
                    a[j] /= sum;
                    for (int d = 0; d < hs; d++) y[d] += a[j] * v[d];
                }
            }
        }
    }
}

static void attention_backward(float *restrict dqkv, const float *restrict dout, const float *restrict att,
                               const float *restrict qkv, int b, int t, int c, int nh) {
    int hs = c / nh;
    float scale = 1 / sqrtf(hs);
#pragma omp parallel for collapse(2)
    for (int n = 0; n < b; n++) {
        for (int h = 0; h < nh; h++) {
            float da[t];
            for (int i = 0; i < t; i++)
                for (int part = 0; part < 3; part++)
                    memset(dqkv + ((size_t)n * t + i) * 3 * c + part * c + h * hs, 0, hs * sizeof(float));
            for (int i = 0; i < t; i++) {
                size_t at = ((size_t)n * t + i) * 3 * c + h * hs;
                const float *q = qkv + at, *a = att + (((size_t)n * nh + h) * t + i) * t;
                const float *dy = dout + ((size_t)n * t + i) * c + h * hs;
                float *dq = dqkv + at, dot = 0;
                for (int j = 0; j <= i; j++) {
                    size_t of = ((size_t)n * t + j) * 3 * c + 2 * c + h * hs;
                    const float *v = qkv + of;
                    float *dv = dqkv + of, sum = 0;
                    for (int d = 0; d < hs; d++) {
                        sum += dy[d] * v[d];
                        dv[d] += a[j] * dy[d];
                    }
                    da[j] = sum;
                    dot += sum * a[j];
                }
                for (int j = 0; j <= i; j++) {
                    size_t of = ((size_t)n * t + j) * 3 * c + c + h * hs;
                    const float *k = qkv + of;
                    float *dk = dqkv + of, g = a[j] * (da[j] - dot) * scale;
                    for (int d = 0; d < hs; d++) {
                        dq[d] += g * k[d];
                        dk[d] += g * q[d];
                    }
                }
            }
        }
    }
}

static void gelu(float *restrict out, const float *restrict x, size_t count) {
#pragma omp parallel for
    for (size_t i = 0; i < count; i++) out[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f));
}

static void gelu_backward(float *restrict dx, const float *restrict dout, const float *restrict x, size_t count) {
#pragma omp parallel for
    for (size_t i = 0; i < count; i++) {
        float below = 0.5f * (1 + erff(x[i] * 0.70710678f)), density = 0.39894228f * expf(-0.5f * x[i] * x[i]);
        dx[i] = dout[i] * (below + x[i] * density);
    }
}

static void add(float *restrict out, const float *restrict x, size_t count) {
#pragma omp parallel for
    for (size_t i = 0; i < count; i++) out[i] += x[i];
}

// ----------------------------------------------------------------------------------------------------------- model

typedef struct {
    int layers, heads, c, t, b;
} Config;

// Offsets of a block's parameters, in floats from the block's beginning.
typedef struct {
    size_t ln_1, c_attn, attn_proj, ln_2, c_fc, mlp_proj, size;
} Block;

// What a block keeps for its backward pass.
typedef struct {
    float *ln_1, *mean_1, *rstd_1, *qkv, *att, *y, *middle, *ln_2, *mean_2, *rstd_2, *fc, *hidden, *out;
} Kept;

typedef struct {
    Config config;
    Block block;
    // All parameters in one array, and in the same places their gradients and moments: wte, wpe, blocks, ln_f.
    float *w, *dw, *m, *v;
    size_t wpe, blocks, ln_f, count;
    Kept *kept;
    float *x, *final, *mean_f, *rstd_f, *logits;
    // Gradients of activations; a block has none of its own, since they are needed only until the block before.
    float *dx, *dnormed, *dqkv, *dy, *dfc, *dhidden, *dlogits;
    int *ids, *labels, steps;
} Model;

static unsigned long long random_state = 88172645463325252ull;

static unsigned random_bits(void) {
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(random_state >> 33);
}

// Box and Muller's way to a normal variable.
static void normal(float *p, size_t count, double std) {
    for (size_t i = 0; i < count; i++) {
        double radius = sqrt(-2 * log((random_bits() + 1.0) / 2147483649.0));
        p[i] = std * radius * cos(6.283185307179586 * random_bits() / 2147483648.0);
    }
}

static void ones(float *p, size_t count) {
    for (size_t i = 0; i < count; i++) p[i] = 1;
}

static Model *new_model(Config config) {
    size_t c = config.c, t = config.t, rows = (size_t)config.b * t;
    Model *model = calloc(1, sizeof(Model));
    Block *at = &model->block;
    model->config = config;
    at->ln_1 = 0;
    at->c_attn = at->ln_1 + c;
    at->attn_proj = at->c_attn + 3 * c * c;
    at->ln_2 = at->attn_proj + c * c;
    at->c_fc = at->ln_2 + c;
    at->mlp_proj = at->c_fc + 4 * c * c;
    at->size = at->mlp_proj + 4 * c * c;
    model->wpe = VOCAB * c;
    model->blocks = model->wpe + t * c;
    model->ln_f = model->blocks + config.layers * at->size;
    model->count = model->ln_f + c;
    model->w = zeros(model->count);
    model->dw = zeros(model->count);
    model->m = zeros(model->count);
    model->v = zeros(model->count);

    // Less where a block writes to the residual stream, whose variance so many writes add up to.
    double last = 0.02 / sqrt(2 * config.layers);
    normal(model->w, model->blocks, 0.02);
    for (int l = 0; l < config.layers; l++) {
        float *w = model->w + model->blocks + l * at->size;
        ones(w + at->ln_1, c);
        normal(w + at->c_attn, 3 * c * c, 0.02);
        normal(w + at->attn_proj, c * c, last);
        ones(w + at->ln_2, c);
        normal(w + at->c_fc, 4 * c * c, 0.02);
        normal(w + at->mlp_proj, 4 * c * c, last);
    }
    ones(model->w + model->ln_f, c);

    model->kept = calloc(config.layers, sizeof(Kept));
    for (int l = 0; l < config.layers; l++) {
        Kept *k = &model->kept[l];
        k->ln_1 = zeros(rows * c);
        k->mean_1 = zeros(rows);
        k->rstd_1 = zeros(rows);
        k->qkv = zeros(rows * 3 * c);
        k->att = zeros(rows * config.heads * t);
        k->y = zeros(rows * c);
        k->middle = zeros(rows * c);
        k->ln_2 = zeros(rows * c);
        k->mean_2 = zeros(rows);
        k->rstd_2 = zeros(rows);
        k->fc = zeros(rows * 4 * c);
        k->hidden = zeros(rows * 4 * c);
        k->out = zeros(rows * c);
    }
    model->x = zeros(rows * c);
    model->final = zeros(rows * c);
    model->mean_f = zeros(rows);
    model->rstd_f = zeros(rows);
    model->logits = zeros(rows * VOCAB);
    model->dx = zeros(rows * c);
    model->dnormed = zeros(rows * c);
    model->dqkv = zeros(rows * 3 * c);
    model->dy = zeros(rows * c);
    model->dfc = zeros(rows * 4 * c);
    model->dhidden = zeros(rows * 4 * c);
    model->dlogits = zeros(rows * VOCAB);
    model->ids = malloc(rows * sizeof(int));
    model->labels = malloc(rows * sizeof(int));
    for (size_t r = 0; r < rows; r++) {
        model->ids[r] = random_bits() % VOCAB;
        model->labels[r] = random_bits() % VOCAB;
    }
    return model;
}

static void forward(Model *model) {
    Config k = model->config;
    Block *at = &model->block;
    int c = k.c, rows = k.b * k.t;
#pragma omp parallel for
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < c; i++)
            model->x[(size_t)r * c + i] =
                model->w[model->ids[r] * c + i] + model->w[model->wpe + (size_t)(r % k.t) * c + i];
    const float *x = model->x;
    for (int l = 0; l < k.layers; l++) {
        const float *w = model->w + model->blocks + l * at->size;
        Kept *keep = &model->kept[l];
        layer_norm(keep->ln_1, keep->mean_1, keep->rstd_1, x, w + at->ln_1, rows, c);
        linear(keep->qkv, keep->ln_1, w + at->c_attn, rows, c, 3 * c);
        attention(keep->y, keep->att, keep->qkv, k.b, k.t, c, k.heads);
        linear(keep->middle, keep->y, w + at->attn_proj, rows, c, c);
        add(keep->middle, x, (size_t)rows * c);
        layer_norm(keep->ln_2, keep->mean_2, keep->rstd_2, keep->middle, w + at->ln_2, rows, c);
        linear(keep->fc, keep->ln_2, w + at->c_fc, rows, c, 4 * c);
        gelu(keep->hidden, keep->fc, (size_t)rows * 4 * c);
        linear(keep->out, keep->hidden, w + at->mlp_proj, rows, 4 * c, c);
        add(keep->out, keep->middle, (size_t)rows * c);
        x = keep->out;
    }
    layer_norm(model->final, model->mean_f, model->rstd_f, x, model->w + model->ln_f, rows, c);
    linear(model->logits, model->final, model->w, rows, c, VOCAB); // the head is wte
}

// The mean cross-entropy of all positions; its gradient goes to dlogits.
static float cross_entropy(Model *model) {
    int rows = model->config.b * model->config.t;
    double loss = 0;
#pragma omp parallel for reduction(+ : loss)
    for (int r = 0; r < rows; r++) {
        const float *logit = model->logits + (size_t)r * VOCAB;
        float *d = model->dlogits + (size_t)r * VOCAB, greatest = logit[0], sum = 0;
        for (int i = 1; i < VOCAB; i++) greatest = logit[i] > greatest ? logit[i] : greatest;
        for (int i = 0; i < VOCAB; i++) sum += d[i] = expf(logit[i] - greatest);
        for (int i = 0; i < VOCAB; i++) d[i] = (d[i] / sum - (i == model->labels[r])) / rows;
        loss += logf(sum) + greatest - logit[model->labels[r]];
    }
    return loss / rows;
}

static void backward(Model *model) {
    Config k = model->config;
    Block *at = &model->block;
    int c = k.c, rows = k.b * k.t;
    memset(model->dw, 0, model->count * sizeof(float));
    memset(model->dx, 0, (size_t)rows * c * sizeof(float));
    linear_backward(model->dnormed, model->dw, model->dlogits, model->final, model->w, rows, c, VOCAB);
    layer_norm_backward(model->dx, model->dw + model->ln_f, model->dnormed, model->kept[k.layers - 1].out,
                        model->mean_f, model->rstd_f, model->w + model->ln_f, rows, c);
    for (int l = k.layers - 1; l >= 0; l--) {
        const float *w = model->w + model->blocks + l * at->size;
        float *dw = model->dw + model->blocks + l * at->size;
        Kept *keep = &model->kept[l];
        const float *x = l ? model->kept[l - 1].out : model->x;
        linear_backward(model->dhidden, dw + at->mlp_proj, model->dx, keep->hidden, w + at->mlp_proj, rows, 4 * c, c);
        gelu_backward(model->dfc, model->dhidden, keep->fc, (size_t)rows * 4 * c);
        linear_backward(model->dnormed, dw + at->c_fc, model->dfc, keep->ln_2, w + at->c_fc, rows, c, 4 * c);
        layer_norm_backward(model->dx, dw + at->ln_2, model->dnormed, keep->middle, keep->mean_2, keep->rstd_2,
                            w + at->ln_2, rows, c);
        linear_backward(model->dy, dw + at->attn_proj, model->dx, keep->y, w + at->attn_proj, rows, c, c);
        attention_backward(model->dqkv, model->dy, keep->att, keep->qkv, k.b, k.t, c, k.heads);
        linear_backward(model->dnormed, dw + at->c_attn, model->dqkv, keep->ln_1, w + at->c_attn, rows, c, 3 * c);
        layer_norm_backward(model->dx, dw + at->ln_1, model->dnormed, x, keep->mean_1, keep->rstd_1, w + at->ln_1,
                            rows, c);
    }
    // Rows share ids and positions, so this loop has one thread.
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < c; i++) {
            model->dw[model->ids[r] * c + i] += model->dx[(size_t)r * c + i];
            model->dw[model->wpe + (size_t)(r % k.t) * c + i] += model->dx[(size_t)r * c + i];
        }
    }
}

static void adamw(Model *model, size_t from, size_t to, float decay, float gradient_scale) {
    const float lr = 1e-3f, beta_1 = 0.9f, beta_2 = 0.99f;
    float unbias_1 = 1 / (1 - powf(beta_1, model->steps)), unbias_2 = 1 / (1 - powf(beta_2, model->steps));
    float *w = model->w, *m = model->m, *v = model->v, *dw = model->dw;
#pragma omp parallel for
    for (size_t i = from; i < to; i++) {
        float g = dw[i] * gradient_scale;
        m[i] = beta_1 * m[i] + (1 - beta_1) * g;
        v[i] = beta_2 * v[i] + (1 - beta_2) * g * g;
        w[i] -= lr * (m[i] * unbias_1 / (sqrtf(v[i] * unbias_2) + 1e-8f) + decay * w[i]);
    }
}

static float step(Model *model) {
    Block *at = &model->block;
    forward(model);
    float loss = cross_entropy(model);
    backward(model);
    double squares = 0;
#pragma omp parallel for reduction(+ : squares)
    for (size_t i = 0; i < model->count; i++) squares += model->dw[i] * model->dw[i];
    float norm = sqrt(squares), scale = norm > 1 ? 1 / norm : 1;
    model->steps++;
    // LayerNorms do not decay.
    adamw(model, 0, model->blocks, 0.1f, scale);
    for (int l = 0; l < model->config.layers; l++) {
        size_t block = model->blocks + l * at->size;
        adamw(model, block + at->ln_1, block + at->c_attn, 0, scale);
        adamw(model, block + at->c_attn, block + at->ln_2, 0.1f, scale);
        adamw(model, block + at->ln_2, block + at->c_fc, 0, scale);
        adamw(model, block + at->c_fc, block + at->size, 0.1f, scale);
    }
    adamw(model, model->ln_f, model->count, 0, scale);
    return loss;
}

// -------------------------------------------------------------------------------------------------------- requests

// What follows "name": in a request, or NULL. Enough for one flat object with values that hold no names.
static const char *field(const char *request, const char *name) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *p = strstr(request, quoted);
    if (!p) return NULL;
    p += strlen(quoted);
    p += strspn(p, " \t:");
    return p;
}

static int is(const char *request, const char *name, const char *value) {
    const char *p = field(request, name);
    size_t length = strlen(value);
    return p && p[0] == '"' && !strncmp(p + 1, value, length) && p[1 + length] == '"';
}

static int number(const char *request, const char *name, int missing) {
    const char *p = field(request, name);
    return p ? atoi(p) : missing;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * t.tv_sec + 1e-6 * t.tv_nsec;
}

static long long peak_bytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return usage.ru_maxrss;
#else
    return 1024ll * usage.ru_maxrss; // Linux counts in KiB
#endif
}

static void answer_step(const char *request) {
    static Model *model; // compare.py asks one process for one row
    Config config;
    if (is(request, "preset", "nano-cpu")) config = (Config){4, 4, 128, 64, 12};
    else if (is(request, "preset", "mid")) config = (Config){6, 6, 192, 128, 16};
    else if (is(request, "preset", "baby")) config = (Config){6, 6, 384, 256, 64};
    else {
        printf("{\"error\":\"preset: expected nano-cpu, mid or baby\"}\n");
        return;
    }
    config.b = number(request, "batch", config.b);
    int steps = number(request, "steps", 0);
    if (config.b < 1 || steps < 1) {
        printf("{\"error\":\"batch and steps: expected positive whole numbers\"}\n");
        return;
    }
    int warm_up = number(request, "warm_up", model ? WARM_UP_AGAIN : WARM_UP_FIRST);
    if (!model) model = new_model(config);
    else if (memcmp(&model->config, &config, sizeof config)) {
        printf("{\"error\":\"a process keeps to its first preset and batch\"}\n");
        return;
    }
    for (int i = 0; i < warm_up; i++) step(model);
    float loss = 0;
    printf("{\"ms\":[");
    for (int i = 0; i < steps; i++) {
        double start = now_ms();
        loss = step(model);
        printf("%s%.6f", i ? "," : "", now_ms() - start);
    }
    printf("],\"loss\":%.6f,\"threads\":%d,\"peak_rss_bytes\":%lld}\n", loss, omp_get_max_threads(), peak_bytes());
}

int main(void) {
    char request[4096];
    while (fgets(request, sizeof request, stdin)) {
        if (is(request, "work", "quit")) return 0;
        if (is(request, "work", "step")) answer_step(request);
        else if (is(request, "work", "info"))
            printf("{\"name\":\"naive C, gcc %s\",\"threads\":%d}\n", __VERSION__, omp_get_max_threads());
        else printf("{\"error\":\"work: expected step, info or quit\"}\n");
        fflush(stdout);
    }
}
