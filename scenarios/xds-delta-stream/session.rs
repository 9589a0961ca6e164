//! The delta protocol of one stream: what its Envoy subscribed to, what it has, and so what it must still be told.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::service::discovery::v3::Resource;

use tokio::sync::mpsc;
use tonic::Status;

use crate::{Answer, Request, Response, Snapshot, TYPES};

/// What one stream asked for and was sent. It ends with the stream: the next one says again what its Envoy has.
#[derive(Debug, Default)]
pub struct Session {
    kinds: BTreeMap<String, Subscription>,
    nonce: u64,
}

#[derive(Debug, Default)]
struct Subscription {
    all: bool,
    names: BTreeSet<String>,
    /// Names and versions that the Envoy has, or that are on their way to it.
    known: BTreeMap<String, String>,
}

impl Session {
    /// Takes note of a request; `answer` tells what follows from it.
    pub fn accept(&mut self, request: Request) {
        let first = !self.kinds.contains_key(&request.type_url);
        let of = self.kinds.entry(request.type_url).or_default();
        if let Some(why) = request.error_detail {
            eprintln!(
                "an Envoy rejects {}: {}",
                request.response_nonce, why.message
            );
        }
        if first {
            // Who names nothing in the first request wants all; the others say it.
            of.all = request.resource_names_subscribe.is_empty();
            of.known.extend(request.initial_resource_versions);
        }
        for name in request.resource_names_subscribe {
            match name.as_str() {
                "*" => of.all = true,
                // Asked for again, it is sent again.
                _ if !of.names.insert(name.clone()) || !first => {
                    of.known.remove(&name);
                }
                _ => {}
            }
        }
        for name in request.resource_names_unsubscribe {
            of.all &= name != "*";
            of.names.remove(&name);
            of.known.remove(&name);
        }
    }

    /// Sends what the Envoy of this stream does not have yet.
    ///
    /// # Errors
    /// When the stream is gone.
    pub async fn answer(
        &mut self,
        snapshot: &Snapshot,
        answers: &mpsc::Sender<Answer>,
    ) -> Result<(), Status> {
        for answer in self.answers(snapshot) {
            let sent = answers.send(Ok(answer)).await;
            sent.map_err(|_| Status::cancelled("the Envoy left"))?;
        }
        Ok(())
    }

    /// What this Envoy does not have yet: clusters first, so that no listener forwards to nowhere.
    fn answers(&mut self, snapshot: &Snapshot) -> Vec<Response> {
        let mut answers = Vec::new();
        for kind in TYPES {
            let Some(of) = self.kinds.get_mut(kind) else { continue };
            let resources = of.news(kind, snapshot);
            let removed_resources = of.gone(kind, snapshot);
            if resources.is_empty() && removed_resources.is_empty() {
                continue;
            }
            self.nonce += 1;
            answers.push(Response {
                system_version_info: snapshot.revision.to_string(),
                type_url: kind.into(),
                nonce: self.nonce.to_string(),
                resources,
                removed_resources,
                ..Default::default()
            });
        }
        answers
    }
}

impl Subscription {
    fn wants(&self, name: &String) -> bool {
        self.all || self.names.contains(name)
    }

    fn news(
        &mut self,
        kind: &str,
        snapshot: &Snapshot,
    ) -> Vec<Resource> {
        let version = snapshot.revision.to_string();
        let mut news = Vec::new();
        for (name, any) in snapshot.of(kind) {
            if self.wants(name)
                && self.known.get(name) != Some(&version)
            {
                self.known.insert(name.clone(), version.clone());
                news.push(Resource {
                    name: name.clone(),
                    version: version.clone(),
                    resource: Some(any.clone()),
                    ..Default::default()
                });
            }
        }
        news
    }

    fn gone(
        &mut self,
        kind: &str,
        snapshot: &Snapshot,
    ) -> Vec<String> {
        let is_there = |name: &String| {
            snapshot.of(kind).any(|(there, _)| there == name)
        };
        let gone: Vec<_> = self
            .known
            .keys()
            .filter(|name| !is_there(name))
            .cloned()
            .collect();
        self.known.retain(|name, _| is_there(name));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CLUSTER, ENDPOINTS, LISTENER, SHOP};

    fn asks(kind: &str, names: &[&str]) -> Request {
        let names = names.iter().map(|name| (*name).to_owned());
        Request {
            type_url: kind.into(),
            resource_names_subscribe: names.collect(),
            ..Default::default()
        }
    }

    fn told(
        session: &mut Session,
        revision: u64,
    ) -> Vec<(String, usize, usize)> {
        let snapshot =
            Snapshot::new(revision, ([127, 0, 0, 1], 80).into());
        let counts = |one: Response| {
            (
                one.type_url,
                one.resources.len(),
                one.removed_resources.len(),
            )
        };
        session.answers(&snapshot).into_iter().map(counts).collect()
    }

    #[test]
    fn who_asks_is_told_once_in_the_order_of_the_types() {
        let mut session = Session::default();
        for request in [
            asks(LISTENER, &["*"]),
            asks(ENDPOINTS, &[SHOP]),
            asks(CLUSTER, &[]),
        ] {
            session.accept(request);
        }
        let all = TYPES.map(|kind| (kind.to_owned(), 1, 0));
        assert_eq!(told(&mut session, 1), all);
        assert_eq!(told(&mut session, 1), []);
        assert_eq!(told(&mut session, 2), all);
    }

    #[test]
    fn who_comes_back_is_told_what_is_new() {
        let mut session = Session::default();
        for kind in TYPES {
            let mut request = asks(kind, &[SHOP]);
            request
                .initial_resource_versions
                .insert(SHOP.into(), "1".into());
            session.accept(request);
        }
        assert_eq!(told(&mut session, 1), []);
        assert_eq!(told(&mut session, 2).len(), 3);
    }

    #[test]
    fn a_name_asked_for_again_is_sent_again() {
        let mut session = Session::default();
        session.accept(asks(ENDPOINTS, &[SHOP]));
        assert_eq!(told(&mut session, 1).len(), 1);
        session.accept(asks(ENDPOINTS, &[SHOP]));
        assert_eq!(told(&mut session, 1).len(), 1);
    }

    #[test]
    fn who_unsubscribes_is_told_no_more() {
        let mut session = Session::default();
        session.accept(asks(ENDPOINTS, &[SHOP]));
        session.accept(Request {
            type_url: ENDPOINTS.into(),
            resource_names_unsubscribe: vec![SHOP.into()],
            ..Default::default()
        });
        assert_eq!(told(&mut session, 1), []);
    }

    #[test]
    fn what_is_gone_is_told_once() {
        let mut session = Session::default();
        let mut request = asks(CLUSTER, &["*"]);
        request
            .initial_resource_versions
            .insert("cellar".into(), "1".into());
        session.accept(request);
        assert_eq!(
            told(&mut session, 1),
            [(CLUSTER.to_owned(), 1, 1)]
        );
        assert_eq!(told(&mut session, 1), []);
    }
}
