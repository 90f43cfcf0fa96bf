//! What an operator sees of databases: the places to label, and whether a role can do more than it should.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use tagout_tests::DatabaseScene;

#[test]
fn an_operator_sees_the_databases_to_label_and_hears_of_a_role_that_can_too_much() {
    let mut scene = DatabaseScene::open("production").unwrap();
    let places = scene.gateway.says(&["upstream", "places", "shop"]).unwrap();
    let shop = scene.identity("shop").unwrap();
    let line = places.lines().find(|line| line.starts_with(&shop)).unwrap();
    assert!(
        line.contains("production") && line.contains("shop"),
        "{places}"
    );
    let other = scene.identity("postgres").unwrap();
    let line = places
        .lines()
        .find(|line| line.starts_with(&other))
        .unwrap();
    assert!(line.contains("unlabelled"), "{places}");

    let doctor = |scene: &DatabaseScene| {
        let output = scene.gateway.command(&["doctor"]).unwrap();
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&both).into_owned()
    };
    assert!(!doctor(&scene).contains("superuser"), "{}", doctor(&scene));
    scene.server.psql("ALTER ROLE app SUPERUSER").unwrap();
    let said = doctor(&scene);
    assert!(
        said.contains("`app` is a superuser") && said.contains("CREATE ROLE"),
        "{said}"
    );
    scene.label("shop", "staging").unwrap();
}
