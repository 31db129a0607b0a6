//! Constraints that the database enforces by itself.

use domain::error::Error;
use sea_orm::{DbErr, SqlErr};
use uuid::Uuid;

use crate::test_store::{TestStore, on_every_database};

#[tokio::test]
async fn a_key_cannot_reference_a_group_of_another_tenant() {
    on_every_database(async |fixture| {
        let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
        let group = fixture.group(&acme, "Ordering", &["orders:read"]).await;
        fixture.insert_key(&acme, group.id, 1, None).await.unwrap();
        let refused = fixture
            .insert_key(&globex, group.id, 2, None)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused.sql_err(),
                Some(SqlErr::ForeignKeyConstraintViolation(_))
            ),
            "{refused}"
        );
    })
    .await;
}

#[tokio::test]
async fn two_keys_cannot_share_a_secret() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let group = fixture.group(&acme, "Ordering", &["orders:read"]).await;
        fixture.insert_key(&acme, group.id, 1, None).await.unwrap();
        let refused = fixture
            .insert_key(&acme, group.id, 1, None)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused.sql_err(),
                Some(SqlErr::UniqueConstraintViolation(_))
            ),
            "{refused}"
        );
    })
    .await;
}

async fn insert_user(fixture: &TestStore, role: &str, tenant: Option<Uuid>) -> Result<(), DbErr> {
    let id = Uuid::now_v7();
    fixture
        .execute(
            "INSERT INTO users (id, tenant_id, email, name, password_hash, role, \
             consecutive_failures, created_at, updated_at, version) \
             VALUES ($1, $2, $3, 'Mira', '', $4, 0, $5, $5, 1)",
            [
                id.into(),
                tenant.into(),
                format!("{id}@acme.example").into(),
                role.into(),
                fixture.now.into(),
            ],
        )
        .await
        .map(|_| ())
}

#[tokio::test]
async fn super_users_have_no_tenant_and_all_others_have_one() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await.tenant().id.as_uuid();
        insert_user(fixture, "super_user", None).await.unwrap();
        insert_user(fixture, "member", Some(acme)).await.unwrap();
        for (role, tenant) in [
            ("super_user", Some(acme)),
            ("member", None),
            ("tenant_admin", None),
            ("tenant_admin", Some(Uuid::now_v7())),
        ] {
            let refused = insert_user(fixture, role, tenant).await;
            assert!(refused.is_err(), "{role} {tenant:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_damaged_row_is_an_internal_error_and_no_panic() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        fixture.group(&scope, "Ordering", &[]).await;
        fixture
            .execute("UPDATE authorization_groups SET permissions = 'x'", [])
            .await
            .unwrap();
        let failed = fixture.store.groups(&scope).list().await;
        assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    })
    .await;
}
