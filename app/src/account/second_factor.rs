//! The section with the state of the second factor.

use domain::store::{second_factor::own::SecondFactorStatus, sessions::SignedIn};
use leptos::prelude::*;

use crate::{
    components::{Callout, Icon, Tone, date::Day},
    current_tenant::use_tenant,
    ssr, urls, words,
};

/// The number of unused recovery codes from which on the page warns.
const FEW: u64 = 2;

/// The state, with links to the pages that change it.
pub(super) fn second_factor_section(user: &SignedIn, status: &SecondFactorStatus) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let whom = user
        .tenant
        .as_ref()
        .map_or("Latchkey", |tenant| tenant.name.as_str());
    let requires = if user.needs_second_factor {
        "requires it"
    } else {
        "does not require it"
    };
    let hint = format!("A code from an authenticator app at each sign-in. {whom} {requires}.");
    let fault = status.fault.as_ref().map(|fault| {
        let what = match status.enabled_at {
            Some(_) => "Codes of the app cannot be checked",
            None => "A second factor cannot be set up",
        };
        let text = format!("{what}: {fault}. Ask your operator.");
        view! { <Callout tone=Tone::Warning><p>{text}</p></Callout> }
    });
    let set_up = status.fault.is_none().then(|| {
        view! { <a class="button button-s" href=tenant.url(urls::SECOND_FACTOR)>"Set up"</a> }
    });
    let content = match status.enabled_at {
        None => view! {
            <p class="row"><span class="badge" data-tone="neutral"><Icon name="minus" />"Off"</span></p>
            {fault}
            {set_up}
        }
        .into_any(),
        Some(since) => {
            let now = ssr::request().map_or(since, |request| request.now);
            let used = status.last_used_at.map(|at| {
                let text = words::relative(at, now).to_lowercase();
                view! {
                    ", last used "
                    <time datetime=words::machine(at) title=words::exact(at)>{text}</time>
                }
            });
            let few = (status.recovery_codes_left <= FEW).then(|| {
                let left = format!("{} of 10 recovery codes are left.", status.recovery_codes_left);
                view! {
                    <Callout tone=Tone::Warning>
                        <p>
                            <strong>{left}</strong>
                            " Make new ones before you need them; the old ones stop working."
                        </p>
                    </Callout>
                }
            });
            let turn_off = (!user.needs_second_factor).then(|| {
                view! {
                    <a class="button button-s button-danger-quiet" href=tenant.url(urls::DISABLE_SECOND_FACTOR)>
                        "Turn off"
                    </a>
                }
            });
            view! {
                <p class="row">
                    <span class="badge" data-tone="success"><Icon name="check-circle" />"On"</span>
                    <span class="muted">"since "<Day at=since />{used}</span>
                </p>
                {fault}
                {few}
                <div class="row">
                    <a class="button button-s" href=tenant.url(urls::NEW_RECOVERY_CODES)>"New recovery codes"</a>
                    {turn_off}
                </div>
            }
            .into_any()
        }
    };
    view! {
        <section class="field" id="second-factor-section" aria-labelledby="second-factor-title">
            <div class="field-about">
                <h2 class="label" id="second-factor-title">"Second factor"</h2>
                <p class="hint">{hint}</p>
            </div>
            <div class="field-control stack">{content}</div>
        </section>
    }
    .into_any()
}
