//! Whether each balancer answers, and how old its last answer is, in words.

use askama::filters::Safe;
use chrono::Duration;

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::balancer::Balancer;
use crate::domain::time::Timestamp;
use crate::services;
use crate::web::error::Result;
use crate::web::format::{self, Zone};

/// All balancers, by name.
pub struct Answers(Vec<Answer>);

/// How one balancer answers.
pub struct Answer {
    pub balancer: Balancer,
    /// Class of the dot before it: `ok`, `bad` or `idle`.
    pub dot: &'static str,
    pub said: Safe<String>,
}

impl Answers {
    pub async fn read(app: &App, actor: &Actor, zone: Zone) -> Result<Self> {
        let now = app.now();
        let answered = services::balancers::answered(app, actor).await?;
        let of = |balancer: Balancer| Answer::new(answered.get(&balancer.id).copied(), balancer, zone, now);
        Ok(Self(services::balancers::list(app, actor).await?.into_iter().map(of).collect()))
    }

    pub fn all(&self) -> &[Answer] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Answer {
    /// `at` is when the balancer last answered.
    pub fn new(at: Option<Timestamp>, balancer: Balancer, zone: Zone, now: Timestamp) -> Self {
        let (dot, said) = judge(at, &balancer, zone, now);
        Self { balancer, dot, said: Safe(said) }
    }

    pub fn is_bad(&self) -> bool {
        self.dot == "bad"
    }
}

fn judge(at: Option<Timestamp>, balancer: &Balancer, zone: Zone, now: Timestamp) -> (&'static str, String) {
    if balancer.fields.paused {
        return ("idle", "paused".to_owned());
    }
    if let Some(since) = balancer.failing_since {
        return ("bad", format!("not answering for {}, since {}", format::since(since, now).0, zone.short(since).0));
    }
    let Some(at) = at else { return ("idle", "waiting for the first answer".to_owned()) };
    // Where there are no figures, answers are noted once a minute: a finer age would be made up.
    let rough = balancer.last_answer_at == Some(at);
    let patience = Duration::seconds(3 * balancer.fields.poll_seconds + 90);
    match now - at {
        age if age > patience => ("bad", format!("no answer for {}: is the recorder running?", format::since(at, now).0)),
        age if rough && age < Duration::minutes(2) => ("ok", "answering".to_owned()),
        _ => ("ok", format!("answered {}", format::ago(at, now).0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::BalancerFields;
    use crate::domain::id::BalancerId;

    #[test]
    fn a_silence_is_told_also_where_nobody_noted_a_failure() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("time");
        let ago = |seconds| now - Duration::seconds(seconds);
        let balancer = |paused, noted: Option<i64>, failing: Option<i64>| Balancer {
            id: BalancerId(uuid::Uuid::nil()),
            fields: BalancerFields { paused, ..Default::default() },
            created_at: now,
            version: 1,
            last_answer_at: noted.map(ago),
            failing_since: failing.map(ago),
            last_error: None,
        };
        let judged = |at: Option<i64>, balancer: Balancer| {
            let answer = Answer::new(at.map(ago), balancer, Zone::default(), now);
            let mut words = answer.said.0.split('<').map(|part| part.rsplit('>').next().unwrap_or_default());
            (answer.dot, words.by_ref().collect::<String>())
        };
        assert_eq!(judged(Some(3), balancer(false, Some(40), None)), ("ok", "answered 3 s ago".to_owned()));
        assert_eq!(judged(Some(40), balancer(false, Some(40), None)), ("ok", "answering".to_owned()));
        let silent = judged(Some(600), balancer(false, Some(600), None));
        assert!(silent.0 == "bad" && silent.1.starts_with("no answer for 10 min"), "{silent:?}");
        assert_eq!(judged(Some(600), balancer(false, Some(600), Some(600))).0, "bad");
        assert_eq!(judged(Some(600), balancer(true, Some(600), Some(600))), ("idle", "paused".to_owned()));
        assert_eq!(judged(None, balancer(false, None, None)).0, "idle");
    }
}
