//! An assistant that books tables: dialogues without a mistake.

use super::answers::Lesson;
use super::{Base, Claim, MEMORY, Model, Result, Runs, SECONDS, Setup, Text, Values, Verdict, share};
use data::chat::{ChatTemplate, Message, Role};
use data::generate::sample;
use data::{CharTokenizer, Example, Tokenizer};
use gpt::Generator;
use gpt::sampling::Sampler;
use gpt::tune::grown;
use random::{Rng, Stream};

pub(super) const CLAIM: Claim = Claim {
    name: "dialogue",
    says: "95 of 100 new dialogues with an assistant that books tables have no mistake",
    settings,
    file: None,
    seeds: &[1, 2, 3],
    cases: &["the usual answer", "model"],
    measure,
    columns: &[share("success", "dialogues without a mistake"), share("answers", "answers"), SECONDS, MEMORY],
    verdict,
};

/// Not trained before: the dialogues are all that it sees.
const BASE: Base = Base {
    name: "dialogue",
    settings: "n_layer=3 n_head=3 n_embd=96 block_size=256 dropout=0 ngram=0",
    text,
};
/// Characters of the training dialogues, and of those that the test dialogues are taken from.
const CHARACTERS: [u64; 2] = [800_000, 200_000];
/// Dialogues that choose the weights, and that test.
const DEV: usize = 100;
const TEST: usize = 200;
/// Tokens of the longest answer.
const MOST: usize = 80;
const LESSON: Lesson = Lesson { epochs: 6, batch_size: 8, learning_rate: 3e-3 };

type Dialogue = Vec<Message>;

fn settings() -> String {
    format!(
        "generator `slots`, {} characters of dialogues, {DEV} of which choose the weights, {TEST} others to test; preset \
         `shakespeare` with `{}`, from scratch; {LESSON}; the likeliest token each time",
        CHARACTERS[0], BASE.settings
    )
}

fn text(setup: &Setup) -> Result<Text> {
    let text = sample("slots", &[], setup.seed, CHARACTERS[0])?.text();
    Ok((Tokenizer::Char(CharTokenizer::from_text(&text)?), text))
}

fn dialogues(seed: u64, characters: u64) -> Result<Vec<Dialogue>> {
    let text = sample("slots", &[], seed, characters)?.text();
    let message = |line: &str| -> Result<Message> {
        let (who, content) = line.split_once(": ").ok_or("a line in which somebody speaks")?;
        let role = if who == "User" { Role::User } else { Role::Assistant };
        Ok(Message { role, content: content.into() })
    };
    let documents = text.split("\n\n").filter(|document| !document.is_empty());
    documents.map(|document| document.lines().map(message).collect()).collect()
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let mut train = dialogues(setup.seed, CHARACTERS[0])?;
    let mut test = dialogues(1_000_000 + setup.seed, CHARACTERS[1])?;
    test.retain(|dialogue| !train.contains(dialogue));
    test.truncate(TEST);
    if case == "the usual answer" {
        return success(&test, |_| Ok("For which day?".into()));
    }
    let base = BASE.untrained(setup)?;
    let tokenizer = base.tokenizer.with_specials(&ChatTemplate::specials())?;
    let template = ChatTemplate::new(&tokenizer)?;
    let mut rng = Rng::new(setup.seed, Stream::Init);
    let (gpt, mut params) = grown(&base.gpt, &base.params, tokenizer.vocab_size(), &mut rng);
    let examples = |dialogues: &[Dialogue]| -> Result<Vec<Example>> {
        let rendered = dialogues.iter().map(|dialogue| template.render(&tokenizer, dialogue));
        let examples = rendered.map(|rendered| Ok(rendered?.example(gpt.config.block_size)));
        Ok(examples.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    };
    let dev = train.split_off(train.len() - DEV);
    let (examples, dev) = (examples(&train)?, examples(&dev)?);
    let values = LESSON.complete((&gpt, &mut params), &examples, &dev, setup.seed)?;
    let model = Model::new(gpt, params, tokenizer);
    let scores = success(&test, |said| answer(&model, template, said))?;
    Ok([values, scores].concat())
}

/// What the model says after all that was said.
fn answer(model: &Model, template: ChatTemplate, said: &[Message]) -> Result<String> {
    let room = model.gpt.config.block_size - MOST;
    let prompt = template.prompt(&model.tokenizer, said, room)?;
    let rng = Rng::new(0, Stream::Sampling);
    let tokens = Generator::new(&model.gpt, &model.params, &prompt, Sampler::greedy(), rng);
    let ids: Vec<u32> = tokens.take(MOST).take_while(|&token| token != template.end).collect();
    Ok(model.tokenizer.decode(&ids)?)
}

/// The share of dialogues in which every answer is right, the user going on as if it were, and that of answers.
fn success(test: &[Dialogue], answer: impl Fn(&[Message]) -> Result<String>) -> Result<Values> {
    let (mut answers, mut right_answers, mut right_dialogues) = (0, 0, 0);
    for dialogue in test {
        let mut right = 0;
        let turns = dialogue.iter().enumerate().filter(|(_, message)| message.role == Role::Assistant);
        let turns: Vec<_> = turns.collect();
        for (i, message) in &turns {
            right += usize::from(answer(&dialogue[..*i])? == message.content);
        }
        answers += turns.len();
        right_answers += right;
        right_dialogues += usize::from(right == turns.len());
    }
    let share = |right: usize, of: usize| right as f64 / of as f64;
    Ok(vec![("success", share(right_dialogues, test.len())), ("answers", share(right_answers, answers))])
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let success = runs.summary("model", "success")?;
    let answers = |case| Some(runs.summary(case, "answers")?.shown(|x| format!("{x:.4}")));
    Some(Verdict {
        measured: format!("{}, {} of the answers", success.shown(|x| format!("{x:.4}")), answers("model")?),
        baseline: format!("{} of the answers, always the same", answers("the usual answer")?),
        target: "0.95".into(),
        reached: success.mean >= 0.95,
    })
}
