//! Compresses the bundle's files at build time: `.br` and `.gz` beside each.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::profile::Profile;

/// Extensions of files that are worth compressing; images and fonts are compressed already.
const ENDINGS: [&str; 4] = ["js", "wasm", "css", "svg"];

type Compress = Box<dyn Fn(&[u8]) -> Result<Vec<u8>>>;

/// The names of a file's compressed forms, each with its compressor. Empty for a file that is not worth compressing.
pub(crate) fn forms(file: &Path, profile: Profile) -> Vec<(PathBuf, Compress)> {
    if !file
        .extension()
        .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
    {
        return Vec::new();
    }
    // A debug bundle is built after every edit and stays on this machine, so speed is more important than size.
    let (brotli_quality, gzip_level) = match profile {
        Profile::Debug => (5, Compression::fast()),
        Profile::Release => (11, Compression::best()),
    };
    vec![
        (
            with_ending(file, ".br"),
            Box::new(move |content| brotli(content, brotli_quality)),
        ),
        (
            with_ending(file, ".gz"),
            Box::new(move |content| gzip(content, gzip_level)),
        ),
    ]
}

/// Appends an extension to the file's name: `main.js` and `.br` result in `main.js.br`.
pub(crate) fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

fn brotli(mut content: &[u8], quality: i32) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = BrotliEncoderParams {
        quality,
        lgwin: 22,
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    brotli::BrotliCompress(&mut content, &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(content: &[u8], level: Compression) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn each_compressed_form_decompresses_to_the_file() {
        let content = b"let answer = 42; ".repeat(500);
        for profile in [Profile::Debug, Profile::Release] {
            let forms = forms(Path::new("snippets/main.js"), profile);
            assert_eq!(
                forms
                    .iter()
                    .map(|(name, _)| name.to_str().expect("text"))
                    .collect::<Vec<_>>(),
                ["snippets/main.js.br", "snippets/main.js.gz"]
            );
            let packed: Vec<Vec<u8>> = forms
                .iter()
                .map(|(_, compress)| compress(&content).expect("in memory"))
                .collect();
            let (mut from_brotli, mut from_gzip) = (Vec::new(), Vec::new());
            brotli::Decompressor::new(packed[0].as_slice(), 4096)
                .read_to_end(&mut from_brotli)
                .expect("valid brotli");
            flate2::read::GzDecoder::new(packed[1].as_slice())
                .read_to_end(&mut from_gzip)
                .expect("valid gzip");
            assert!(from_brotli == content && from_gzip == content);
            assert!(
                packed
                    .iter()
                    .all(|packed| packed.len() < content.len() / 10)
            );
        }
    }

    #[test]
    fn images_and_fonts_are_not_compressed() {
        for file in ["public/shot.png", "public/text.woff2", "readme"] {
            assert!(
                forms(Path::new(file), Profile::Release).is_empty(),
                "{file}"
            );
        }
    }
}
