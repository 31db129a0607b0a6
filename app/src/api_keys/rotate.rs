//! The dialog that rotates a key's secret and can change its expiration date.

use chrono::NaiveDate;
use domain::{
    FieldError,
    key::{
        KeyStatus, RotatedExpiry,
        expiry::{ExpirationDate, ExpirationState},
        lifetime::LifetimeRule,
        rotation, today,
    },
};
use leptos::{prelude::*, web_sys::SubmitEvent};

use super::{
    date_input::DateInput,
    dialog_close::{CancelLink, CloseLink, DialogClose},
    dialog_parts::{AlreadyRevoked, KeyFacts, SubmitFailure},
    expiry_help::{ExpiryHelp, expiry_hint},
    idempotency_field::IdempotencyField,
    rejected_form::RejectedForm,
    responses::{Changed, Issued, KeyDetail},
    secret_modal::SecretModal,
    server_fns::rotate_api_key,
    submission::Submission,
};
use crate::{
    browser,
    components::{Callout, Dialog, FieldErrors, OfTenant, SubmitButton, Tone},
    current_tenant::use_tenant,
    words,
};

/// The id of the date field.
const EXPIRES: &str = "rotate-expires";

/// Validates the text of the dialog's field by the server's rule.
fn judge(
    text: &str,
    current: Option<ExpirationDate>,
    rule: LifetimeRule,
    today: NaiveDate,
) -> Result<(), FieldError> {
    let wanted = RotatedExpiry::from_field(text)?;
    rotation::plan(current, wanted, rule, today).map(drop)
}

/// The date in the field at first: the current one, or the latest permitted one if that is earlier. `None` for an expired key.
fn offered(
    current: Option<ExpirationDate>,
    rule: LifetimeRule,
    today: NaiveDate,
) -> Option<ExpirationDate> {
    match (current, rule.latest(today)) {
        (Some(current), _) if current.date() < today => None,
        (Some(current), Some(latest)) => Some(Ord::min(current, latest)),
        (current, latest) => current.or(latest),
    }
}

/// The state of the dialog.
#[derive(Clone)]
enum Step {
    Form,
    Secret(Box<Issued>),
    Closed,
}

/// The dialog. After the rotation it shows the new secret.
#[component]
pub fn RotateDialog(
    /// The key.
    detail: KeyDetail,
    /// The form as it was sent without a script and rejected.
    rejected: Option<RejectedForm>,
    /// Closes the dialog.
    close: DialogClose,
    /// Called when the user has closed the new secret.
    rotated: Callback<Changed>,
) -> impl IntoView {
    if detail.key.status == KeyStatus::Revoked {
        return view! { <AlreadyRevoked title="Rotate API key" name=detail.key.name.to_string() close /> }
            .into_any();
    }
    let step = RwSignal::new(Step::Form);
    let changed = Changed {
        id: detail.key.id,
        name: detail.key.name.to_string(),
        receipt: None,
    };
    let issued = Callback::new(move |issued: Issued| step.set(Step::Secret(Box::new(issued))));
    let close_secret = Callback::new(move |()| {
        step.set(Step::Closed);
        rotated.run(changed.clone());
    });
    (move || match step.get() {
        Step::Form => {
            view! { <RotateForm detail=detail.clone() rejected=rejected.clone() close issued /> }
                .into_any()
        }
        Step::Secret(issued) => view! {
            <SecretModal issued=*issued title="API key rotated" on_close=close_secret />
        }
        .into_any(),
        Step::Closed => ().into_any(),
    })
    .into_any()
}

#[component]
fn RotateForm(
    detail: KeyDetail,
    rejected: Option<RejectedForm>,
    close: DialogClose,
    issued: Callback<Issued>,
) -> impl IntoView {
    let tenant = use_tenant();
    let KeyDetail {
        key,
        rule,
        now,
        form_id,
        ..
    } = detail;
    let (current, day) = (key.expires_on, today(now));
    let is_expired = key.expiration == ExpirationState::Expired;
    let (typed, failed) = match rejected {
        Some(rejected) => (Some(rejected.form.expires_on), rejected.error),
        None => (None, None),
    };
    let initial = typed.or_else(|| offered(current, rule, day).map(|date| date.to_string()));
    let expires = RwSignal::new(initial.clone().unwrap_or_default());
    let is_touched = RwSignal::new(false);
    let submission = Submission::new("rotated", failed, Some(close.is_stale));
    let Submission {
        is_busy, failure, ..
    } = submission;
    let close = close.disabled_while(is_busy);
    let errors = Signal::derive(move || {
        let judged = is_touched
            .get()
            .then(|| judge(&expires.read(), current, rule, day));
        let local = judged.and_then(Result::err).map(|error| error.message);
        let theirs = failure.with(|failure| {
            failure
                .iter()
                .flat_map(|failure| failure.fields.iter().map(|field| field.message.clone()))
                .next()
        });
        local.or(theirs).into_iter().collect::<Vec<_>>()
    });
    let read = Callback::new(move |()| expires.set(browser::date_value(EXPIRES)));
    let id = key.id.to_string();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        // Reads text that was typed before the script started.
        expires.set(browser::date_value(EXPIRES));
        is_touched.set(true);
        failure.set(None);
        if judge(&expires.read_untracked(), current, rule, day).is_err() {
            browser::focus(EXPIRES);
            return;
        }
        let (tenant, id, expires) = (
            tenant.get_untracked().0,
            id.clone(),
            expires.get_untracked(),
        );
        submission.send(async move {
            issued.run(rotate_api_key(tenant, id, expires, Some(form_id)).await?);
            Ok(())
        });
    };
    let old_date = current.filter(|_| is_expired).map(|date| {
        view! { <p class="hint">{format!("Expired on {}.", words::date(date.date()))}</p> }
    });
    let name = key.name.to_string();
    view! {
        <Dialog id="dialog" labelled_by="rotate-title rotate-name" described_by="rotate-warning" on_cancel=close.run>
            <form method="post" novalidate on:submit=submit>
                <IdempotencyField form_id />
                <div class="dialog-header">
                    <div>
                        <h2 id="rotate-title">"Rotate API key"</h2>
                        <p class="muted" id="rotate-name" dir="auto">{name}<OfTenant /></p>
                    </div>
                    <CloseLink close />
                </div>
                <div class="dialog-body">
                    <SubmitFailure failure />
                    <Callout tone=Tone::Warning id="rotate-warning">
                        <p>
                            <strong>"All applications using the current secret lose access immediately."</strong>
                            " There is no overlap. Name, group and allowlist stay as they are. To change over without downtime, generate a second key first."
                        </p>
                    </Callout>
                    <KeyFacts key now label="Current secret" />
                    <div class="field">
                        <label class="label" for=EXPIRES>
                            "Expiration Date "
                            {(!rule.requires_date())
                                .then(|| view! { <span class="optional">"(optional)"</span> })}
                        </label>
                        {old_date}
                        <DateInput
                            id=EXPIRES
                            initial
                            today=day
                            latest=rule.latest(day).map(|date| date.to_string())
                            value=expires
                            is_touched
                            errors
                            hint="rotate-hint rotate-expires-words"
                        />
                        <FieldErrors field=EXPIRES errors />
                        <ExpiryHelp field=EXPIRES today=day rule value=expires read />
                        <p class="hint" id="rotate-hint">
                            {expiry_hint("The new secret works", rule, day)}
                        </p>
                    </div>
                </div>
                <div class="dialog-actions">
                    <CancelLink close has_focus=true />
                    <SubmitButton class="button button-warning" label="Rotate" waiting="Rotating…" is_busy=is_busy />
                </div>
            </form>
        </Dialog>
    }
}
