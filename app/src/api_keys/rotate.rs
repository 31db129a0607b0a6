//! The dialog that gives a key a new secret, and with it, where wanted, a new expiration date.

use chrono::NaiveDate;
use domain::{
    FieldError,
    key::{
        KeyStatus, RotatedExpiry,
        expiry::{ExpirationDate, ExpirationState},
        form::parse_future,
        today,
    },
};
use leptos::{prelude::*, web_sys::SubmitEvent};

use super::{
    change::Change,
    closing::{CancelLink, CloseLink, Closing},
    date_input::{DateInput, INCOMPLETE_DATE},
    one_time_field::OneTimeField,
    refused::Refused,
    revoke::{AlreadyRevoked, KeyFacts},
    secret_modal::SecretModal,
    server_fns::{Issued, KeyDetail, rotate_api_key},
};
use crate::{
    browser,
    components::{Callout, Dialog, FieldErrors, Icon, Tone, field::flag},
    error::{AppError, ErrorCode},
    layout::use_tenant,
    urls, words,
};

/// The field's identifier.
const EXPIRES: &str = "rotate-expires";

/// What the dialog's field asks for: the date that the key has, unless that is past; else a date after `today`, or nothing for never.
///
/// # Errors
/// The field's error.
pub fn rotated_expiry(
    text: &str,
    current: Option<ExpirationDate>,
    today: NaiveDate,
) -> Result<RotatedExpiry, FieldError> {
    let unchanged = current.filter(|date| date.date() >= today && date.to_string() == text.trim());
    match unchanged {
        Some(date) => Ok(RotatedExpiry::Set(Some(date))),
        None => parse_future(text, today).map(RotatedExpiry::Set),
    }
}

/// How far the dialog has come.
#[derive(Clone)]
enum Step {
    Asking,
    Shown(Box<Issued>),
    Done,
}

/// The dialog; after it, the new secret.
#[component]
pub fn RotateDialog(
    /// The key.
    detail: KeyDetail,
    /// What was sent without a script and not done.
    refused: Option<Refused>,
    /// Leaves for the list.
    close: Closing,
    /// Reads the list again.
    reload: Callback<()>,
) -> impl IntoView {
    if detail.key.status == KeyStatus::Revoked {
        return view! { <AlreadyRevoked title="Rotate API key" name=detail.key.name.to_string() close /> }
            .into_any();
    }
    let step = RwSignal::new(Step::Asking);
    let issued = Callback::new(move |issued: Issued| step.set(Step::Shown(Box::new(issued))));
    let forget = Callback::new(move |()| {
        step.set(Step::Done);
        reload.run(());
        close.run.run(());
    });
    (move || match step.get() {
        Step::Asking => {
            view! { <Asking detail=detail.clone() refused=refused.clone() close issued /> }
                .into_any()
        }
        Step::Shown(issued) => view! {
            <SecretModal issued=*issued title="API key rotated" on_close=forget />
        }
        .into_any(),
        Step::Done => ().into_any(),
    })
    .into_any()
}

#[component]
fn Asking(
    detail: KeyDetail,
    refused: Option<Refused>,
    close: Closing,
    issued: Callback<Issued>,
) -> impl IntoView {
    let tenant = use_tenant();
    let KeyDetail {
        key, now, form_id, ..
    } = detail;
    let (current, day) = (key.expires_on, today(now));
    let is_expired = key.expiration == ExpirationState::Expired;
    let (typed, failed) = match refused {
        Some(refused) => (Some(refused.form.expires_on), Some(refused.error)),
        None => (None, None),
    };
    let initial = typed.or_else(|| current.filter(|_| !is_expired).map(|date| date.to_string()));
    let expires = RwSignal::new(initial.clone().unwrap_or_default());
    let is_judged = RwSignal::new(false);
    let change = Change::new("rotated", failed, Some(close.is_stale));
    let Change {
        is_busy, failure, ..
    } = change;
    let close = close.unless(is_busy);
    let errors = Signal::derive(move || {
        let judged = is_judged
            .get()
            .then(|| rotated_expiry(&expires.read(), current, day));
        let local = judged.and_then(Result::err).map(|error| error.message);
        let theirs = failure.with(|failure| {
            failure
                .iter()
                .flat_map(|failure| failure.fields.iter().map(|field| field.message.clone()))
                .next()
        });
        local.or(theirs).into_iter().collect::<Vec<_>>()
    });
    let id = key.id.to_string();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        // What was typed before the script came is in the field alone.
        if browser::is_incomplete(EXPIRES) {
            expires.set(INCOMPLETE_DATE.to_owned());
        } else {
            expires.set(browser::value(EXPIRES));
        }
        is_judged.set(true);
        failure.set(None);
        if rotated_expiry(&expires.read_untracked(), current, day).is_err() {
            browser::focus(EXPIRES);
            return;
        }
        let (tenant, id, expires) = (
            tenant.get_untracked().0,
            id.clone(),
            expires.get_untracked(),
        );
        change.send(async move {
            issued.run(rotate_api_key(tenant, id, expires, Some(form_id)).await?);
            Ok(())
        });
    };
    let old_date = current.filter(|_| is_expired).map(|date| {
        view! { <p class="hint">{format!("Expired on {}.", words::date(date.date()))}</p> }
    });
    let name = key.name.to_string();
    view! {
        <Dialog id="dialog" labelled_by="rotate-title" described_by="rotate-warning" on_cancel=close.run>
            <form method="post" novalidate on:submit=submit>
                <OneTimeField form_id />
                <div class="dialog-header">
                    <div>
                        <h2 id="rotate-title">"Rotate API key"</h2>
                        <p class="muted" dir="auto">{name}</p>
                    </div>
                    <CloseLink close />
                </div>
                <div class="dialog-body">
                    <SubmitFailure failure />
                    <Callout tone=Tone::Warning id="rotate-warning">
                        <p>
                            <strong>"All applications using the current secret lose access immediately."</strong>
                            " There is no overlap. Name, group and allowlist stay as they are."
                        </p>
                    </Callout>
                    <KeyFacts key now label="Current secret" />
                    <div class="field">
                        <label class="label" for=EXPIRES>
                            "Expiration Date "<span class="optional">"(optional)"</span>
                        </label>
                        {old_date}
                        <DateInput
                            id=EXPIRES
                            initial
                            today=day
                            value=expires
                            is_judged
                            errors
                            hint="rotate-hint"
                        />
                        <FieldErrors field=EXPIRES errors />
                        <p class="hint" id="rotate-hint">
                            "The new secret works until the end of that day, UTC. Empty: it never expires."
                        </p>
                    </div>
                </div>
                <div class="dialog-actions">
                    <CancelLink close has_focus=true />
                    <button
                        class="button button-primary"
                        aria-busy=flag(is_busy)
                    >
                        "Rotate"
                    </button>
                </div>
            </form>
        </Dialog>
    }
}

/// Why a dialog's form was not done; the errors of its fields stand under them.
#[component]
pub fn SubmitFailure(
    /// What came of it.
    failure: RwSignal<Option<AppError>>,
) -> impl IntoView {
    move || {
        let failure = failure
            .get()
            .filter(|failure| failure.code != ErrorCode::Invalid)?;
        Some(view! {
            <div class="callout" data-tone="danger" role="alert">
                <Icon name="alert" />
                <p>{failure.message}" "<WayOn code=failure.code /></p>
            </div>
        })
    }
}

/// The link below a failed form: to a new sign-in if the session ended, which keeps the typed text; to the list if the change was made or
/// may have been made.
#[component]
pub fn WayOn(
    /// Why the form was not done.
    code: ErrorCode,
) -> impl IntoView {
    let (href, text, target, rest) = match code {
        ErrorCode::NotSignedIn => (
            urls::sign_in(urls::ACCOUNT),
            "Sign in in a new tab",
            Some("_blank"),
            ", then try again here.",
        ),
        ErrorCode::OutcomeUnknown | ErrorCode::AlreadyDone => (
            use_tenant().get_untracked().url(urls::API_KEYS),
            "Go to API Keys",
            None,
            "",
        ),
        _ => return None,
    };
    Some(view! { <a href=href target=target>{text}</a>{rest} })
}
