//! Deciding over the wire: what a card offers, what is signed, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

mod support;

use serde_json::json;
use support::desk::NOW;
use support::person::Person;
use support::samples::{choice, hostile, service_delete, volume_delete};
use support::wire::Served;
use tagout_core::card::Hold;
use tagout_core::environment::Environment;
use tagout_core::hold::HoldState;
use tagout_core::ids::{ConnectionId, GrantId, HoldId};

async fn with(holds: Vec<Hold>) -> (Served, Person) {
    let served = Served::start().await;
    let person = Person::enrolled(&served).await;
    served.desk.state().holds.extend(holds);
    (served, person)
}

fn state_of(served: &Served, id: &HoldId) -> HoldState {
    served.desk.state().hold_mut(id).unwrap().state
}

/// The page's main part, without what differs from run to run.
async fn main_of(served: &Served, person: &Person, path: &str) -> String {
    let body = served.get(path, &person.cookie).await.body;
    let (_, main) = body.split_once("<main id=\"main\">").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    main.replace("><", ">\n<")
}

#[tokio::test]
async fn the_card_argues_in_its_order() {
    let hold = volume_delete(1);
    let path = format!("/holds/{}", hold.id);
    let (served, person) = with(vec![hold]).await;
    let page = main_of(&served, &person, &path).await;
    let order = [
        "class=\"environment production\"",
        "destroy volume",
        "backups that go with it",
        "Can it come back?",
        "Exactly this would be sent",
        "cursor in pocket-os",
        "fix the credential mismatch",
        "this reaches production as well",
        "Nothing of this shape was decided before",
        "The agent says, and nobody checked",
        "it is denied by itself",
        ">Deny</button>",
        "Instead: ",
        "Approve this instead: <bdi>delete in staging only",
        "Approve once, as asked",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|part| page.find(part).expect(part))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    insta::assert_snapshot!("card", page);
}

#[tokio::test]
async fn buttons_that_decide_come_disarmed_and_none_has_the_focus() {
    let hold = volume_delete(1);
    let paths =
        ["/holds/{id}", "/holds/judge?ids={id}"].map(|path| path.replace("{id}", hold.id.as_str()));
    let (served, person) = with(vec![hold]).await;
    for path in paths {
        let page = main_of(&served, &person, &path).await;
        let buttons: Vec<_> = page.match_indices("<button").collect();
        assert!(buttons.len() >= 2);
        for (at, _) in buttons {
            let tag = page[at..].split('>').next().unwrap();
            assert!(tag.contains(" disabled"), "{tag}");
        }
        assert!(!page.contains("autofocus"));
    }
}

#[tokio::test]
async fn a_person_approves_the_safer_choice() {
    let hold = volume_delete(1);
    let (id, shown) = (hold.id.clone(), hold.card.choices[0].document.digest());
    let (served, mut person) = with(vec![hold]).await;
    let wish =
        json!({"wish": "judge", "holds": [[id, 0]], "decision": "approve", "shown": [shown]});
    let answer = person.perform(&served, &wish).await;
    assert_eq!(answer.json(), json!({"judged": [[id, "approved"]]}));
    let mut state = served.desk.state();
    let hold = state.hold_mut(&id).unwrap();
    assert_eq!(hold.chosen().unwrap().title, "delete in staging only");
}

#[tokio::test]
async fn a_no_reaches_the_agent_with_its_reason() {
    let hold = volume_delete(1);
    let id = hold.id.clone();
    let (served, mut person) = with(vec![hold]).await;
    let wish =
        json!({"wish": "judge", "holds": [[id, 1]], "decision": "deny", "reason": "use staging"});
    assert_eq!(person.perform(&served, &wish).await.status, 200);
    assert_eq!(state_of(&served, &id), HoldState::Denied);
    assert_eq!(served.desk.state().told, ["use staging"]);
}

#[tokio::test]
async fn what_was_not_shown_whole_gets_no_approval() {
    let mut cases = Vec::new();
    let mut case = |name: &'static str, bend: &dyn Fn(&mut Hold)| {
        let mut hold = service_delete(u8::try_from(cases.len()).unwrap() + 1, "shop");
        bend(&mut hold);
        cases.push((name, hold));
    };
    let long = "x".repeat(70_000);
    case("the card shows less than is signed", &|hold| {
        hold.card.choices[0].shown = "DELETE …".into()
    });
    case("nothing is shown", &|hold| {
        hold.card.choices[0].shown = "".into();
        hold.card.choices[0].document.shown = String::new();
    });
    case("too long", &|hold| {
        hold.card.choices = vec![choice(&hold.id, "x", &long, false)]
    });
    case("the card is too long", &|hold| {
        hold.card.operation = long.as_str().into()
    });
    case("another hold is signed", &|hold| {
        hold.card.choices[0].document.hold = HoldId::from_bits([99; 16])
    });
    case("another hold's card", &|hold| {
        hold.card.hold = HoldId::from_bits([99; 16])
    });
    case("no choice at all", &|hold| hold.card.choices.clear());
    case("not pending", &|hold| hold.state = HoldState::Scheduled);
    let (served, mut person) = with(cases.iter().map(|(_, hold)| hold.clone()).collect()).await;
    for (name, hold) in cases {
        let page = main_of(&served, &person, &format!("/holds/{}", hold.id)).await;
        assert!(!page.contains("Approve once"), "{name}");
        let wish = json!({"wish": "judge", "holds": [[hold.id, 0]], "decision": "approve"});
        let answer = person.perform(&served, &wish).await;
        assert_eq!(answer.status, 409, "{name} {answer:?}");
        assert_eq!(state_of(&served, &hold.id), hold.state, "{name}");
    }
}

#[tokio::test]
async fn a_card_that_changed_is_looked_at_again() {
    let hold = volume_delete(1);
    let (id, shown) = (hold.id.clone(), hold.card.choices[1].document.digest());
    let (served, mut person) = with(vec![hold]).await;
    served.desk.state().holds[0].card.choices[1]
        .document
        .ceilings
        .counts
        .insert("backups".into(), 50);
    let wish =
        json!({"wish": "judge", "holds": [[id, 1]], "decision": "approve", "shown": [shown]});
    let answer = person.perform(&served, &wish).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (409, "card_changed")
    );
    assert_eq!(state_of(&served, &id), HoldState::Pending);
}

#[tokio::test]
async fn only_what_belongs_together_is_judged_together() {
    let one = service_delete(1, "shop-old");
    let bends: [fn(&mut Hold); 5] = [
        |hold| hold.card.environment = Environment::Staging,
        |hold| hold.connection = ConnectionId::from_bits([1; 16]),
        |hold| hold.grant = Some(GrantId::from_bits([1; 16])),
        |hold| hold.upstream = "other".parse().unwrap(),
        |hold| hold.state = HoldState::Denied,
    ];
    for bend in bends {
        let mut other = service_delete(2, "shop");
        bend(&mut other);
        let (ids, holds) = ([one.id.clone(), other.id.clone()], vec![one.clone(), other]);
        let (served, mut person) = with(holds).await;
        let path = format!("/holds/judge?ids={},{}", ids[0], ids[1]);
        assert_eq!(served.get(&path, &person.cookie).await.status, 409);
        let judged: Vec<_> = ids.iter().map(|id| (id, 0)).collect();
        let wish = json!({"wish": "judge", "holds": judged, "decision": "approve"});
        let answer = person.perform(&served, &wish).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (409, "not_together")
        );
        let inbox = served.get("/", &person.cookie).await.body;
        assert!(!inbox.contains("Judge them on one card"));
    }
}

#[tokio::test]
async fn when_the_time_is_over_nothing_is_offered() {
    let mut hold = volume_delete(1);
    hold.card.expires = NOW;
    let path = format!("/holds/{}", hold.id);
    let (served, person) = with(vec![hold]).await;
    let page = main_of(&served, &person, &path).await;
    assert!(
        page.contains("Nobody answered in time") && !page.contains("<button"),
        "{page}"
    );
}

#[tokio::test]
async fn two_people_are_asked_for_and_the_first_answer_is_shown() {
    let hold = volume_delete(1);
    let (id, path) = (hold.id.clone(), format!("/holds/{}", hold.id));
    let (served, mut person) = with(vec![hold]).await;
    let wish = json!({"wish": "judge", "holds": [[id, 1]], "decision": "approve"});
    assert_eq!(person.perform(&served, &wish).await.status, 200);
    {
        let mut state = served.desk.state();
        let hold = state.hold_mut(&id).unwrap();
        hold.state = HoldState::Pending;
        hold.card.choices[1].document.approvals = 2;
    }
    let page = main_of(&served, &person, &path).await;
    assert!(page.contains("<strong>2 people</strong>"), "{page}");
    assert!(
        page.contains("Answers so far") && page.contains("<li>you at "),
        "{page}"
    );
}

#[tokio::test]
async fn no_hold_is_judged_twice_at_once() {
    let hold = volume_delete(1);
    let id = hold.id.clone();
    let (served, mut person) = with(vec![hold]).await;
    let wish = json!({"wish": "judge", "holds": [[id, 0], [id, 1]], "decision": "approve"});
    let answer = person.perform(&served, &wish).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (409, "not_together")
    );
    let wish = json!({"wish": "judge", "holds": [], "decision": "approve"});
    assert_eq!(person.perform(&served, &wish).await.status, 400);
    assert_eq!(state_of(&served, &id), HoldState::Pending);
}

#[tokio::test]
async fn six_on_one_card_five_approved_one_denied() {
    let names = [
        "shop-old",
        "shop-tmp",
        "blog-2019",
        "shop",
        "landing-b",
        "demo-1",
    ];
    let holds: Vec<_> = (1..)
        .zip(names)
        .map(|(n, name)| service_delete(n, name))
        .collect();
    let ids: Vec<_> = holds.iter().map(|hold| hold.id.clone()).collect();
    let (served, mut person) = with(holds).await;
    let inbox = served.get("/", &person.cookie).await.body;
    let path = inbox
        .split("href=\"")
        .find(|part| part.starts_with("/holds/judge?ids="));
    let path = path.unwrap().split('"').next().unwrap();
    let page = main_of(&served, &person, path).await;
    for name in names {
        assert!(
            page.contains(&format!("destroy site &quot;{name}&quot; in production")),
            "{name}"
        );
    }
    insta::assert_snapshot!("joint_card", page);

    let five: Vec<_> = ids
        .iter()
        .filter(|id| **id != ids[3])
        .map(|id| (id, 0))
        .collect();
    let wish = json!({"wish": "judge", "holds": five, "decision": "approve"});
    assert_eq!(person.perform(&served, &wish).await.status, 200);
    let wish = json!({"wish": "judge", "holds": [[ids[3], 0]], "decision": "deny"});
    assert_eq!(person.perform(&served, &wish).await.status, 200);
    for (index, id) in ids.iter().enumerate() {
        let expected = if index == 3 {
            HoldState::Denied
        } else {
            HoldState::Approved
        };
        assert_eq!(state_of(&served, id), expected);
    }
}

#[tokio::test]
async fn an_answer_counts_once_and_for_its_ceremony() {
    let holds = vec![volume_delete(1), volume_delete(2)];
    let ids: Vec<_> = holds.iter().map(|hold| hold.id.clone()).collect();
    let (served, mut person) = with(holds).await;
    let mut begun = Vec::new();
    for id in &ids {
        let wish = json!({"wish": "judge", "holds": [[id, 0]], "decision": "approve"});
        begun.push(
            served
                .post("/api/v1/ceremonies", &person.cookie, &wish)
                .await
                .json(),
        );
    }
    let path = |ceremony: &serde_json::Value| {
        format!("/api/v1/ceremonies/{}", ceremony["id"].as_str().unwrap())
    };
    let answer = person.touch(&served, &begun[0]);
    let other = served.post(&path(&begun[1]), &person.cookie, &answer).await;
    assert_eq!((other.status, other.code().as_str()), (403, "passkey"));
    assert_eq!(
        served
            .post(&path(&begun[0]), &person.cookie, &answer)
            .await
            .status,
        200
    );
    let again = served.post(&path(&begun[0]), &person.cookie, &answer).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (410, "ceremony_over")
    );
    assert_eq!(state_of(&served, &ids[1]), HoldState::Pending);
}

#[tokio::test]
async fn scheduled_holds_are_cancelled_and_everything_freezes_without_a_passkey() {
    for api in [true, false] {
        let mut hold = volume_delete(1);
        hold.state = HoldState::Scheduled;
        let id = hold.id.clone();
        let (served, person) = with(vec![hold]).await;
        let prefix = if api { "/api/v1" } else { "" };
        let expected = if api { 200 } else { 303 };
        let cancelled = served
            .submit(&format!("{prefix}/holds/{id}/cancel"), &person.cookie, "")
            .await;
        assert_eq!(cancelled.status, expected, "{cancelled:?}");
        assert_eq!(state_of(&served, &id), HoldState::Cancelled);
        let again = served
            .submit(&format!("{prefix}/holds/{id}/cancel"), &person.cookie, "")
            .await;
        assert_eq!(again.status, 409);
        let frozen = served
            .submit(&format!("{prefix}/freeze"), &person.cookie, "")
            .await;
        assert_eq!(frozen.status, expected, "{frozen:?}");
        assert!(served.desk.state().frozen.is_some());
        let page = served.get("/", &person.cookie).await.body;
        assert!(page.contains("Nothing runs for any agent."));
    }
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let texts = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' data-ceremony='{\"wish\":\"sign_in\"}",
        "</form><form data-ceremony='{}'>",
        "\u{202e}noitcudorp\u{2066}",
        "a\u{0}\u{8}\u{1b}[2J\r\n<b>",
        "\u{200b}\u{feff}\u{e0041}\u{ad}",
        "&lt;script&gt;",
    ];
    let holds: Vec<_> = (1..).zip(texts).map(|(n, text)| hostile(n, text)).collect();
    let (served, person) = with(holds.clone()).await;
    let plain = main_of(
        &served,
        &person,
        &format!("/holds/{}", volume_like(&served)),
    )
    .await;
    let tags = |page: &str| {
        let names = page
            .split('<')
            .skip(1)
            .filter_map(|tag| tag.split([' ', '>', '/']).next());
        names
            .filter(|name| ["script", "img", "b", "form"].contains(name))
            .count()
    };
    for (hold, text) in holds.iter().zip(texts) {
        for path in [
            format!("/holds/{}", hold.id),
            format!("/holds/judge?ids={}", hold.id),
            "/".into(),
        ] {
            let page = main_of(&served, &person, &path).await;
            assert!(!page.contains("<script"), "{text:?} {path}");
            assert!(!page.contains("<img"), "{text:?} {path}");
            assert!(!page.chars().any(hides), "{text:?} {path}");
        }
        let page = main_of(&served, &person, &format!("/holds/{}", hold.id)).await;
        assert_eq!(tags(&page), tags(&plain), "{text:?}");
    }
}

/// A harmless hold with as many choices as a hostile one, for comparing.
fn volume_like(served: &Served) -> HoldId {
    let hold = hostile(200, "plain");
    served.desk.state().holds.push(hold.clone());
    hold.id
}

/// Characters that must never reach a page as themselves.
fn hides(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
