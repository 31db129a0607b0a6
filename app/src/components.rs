//! The building blocks of pages. Class names are those of `style/`.

pub mod badge;
pub mod breadcrumb;
pub mod callout;
pub mod date;
pub mod dialog;
pub mod field;
pub mod icon;
pub mod key_quota;
#[cfg(feature = "ssr")]
pub mod list_table;
pub mod of_tenant;
pub mod page_title;
pub mod support;
pub mod text_area;
pub mod waiting;

pub use badge::{ExpirationBadge, StatusBadge};
pub use breadcrumb::Breadcrumb;
pub use callout::{Callout, Tone};
pub use dialog::Dialog;
pub use field::FieldErrors;
pub use icon::Icon;
pub use key_quota::KeyQuotaMeter;
pub use of_tenant::OfTenant;
pub use page_title::PageTitle;
pub use text_area::text_area_content;
pub use waiting::SubmitButton;
