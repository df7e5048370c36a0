//! Thumbnails of images.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageReader, Limits};
use strongroom_core::{Error, ErrorKind, Json, Result};

use crate::Thumbnail;

/// Bytes of an image that a thumbnail is made of, at most: 64 MiB.
pub const THUMBNAIL_SOURCE_BYTES_MAX: usize = 64 << 20;

/// Width and height of an image that a thumbnail is made of, in pixels, at most.
const EDGE_MAX: u32 = 16_384;
/// Bytes that decoding an image may take.
const DECODED_BYTES_MAX: u64 = 256 << 20;
/// Quality of the thumbnail, of 100.
const QUALITY: u8 = 80;

/// Makes a thumbnail of a JPEG, PNG, GIF or WebP image: a JPEG whose longer edge has `edge` pixels, or as many as the image has if
/// that is less. It takes processor time: call it where that may block.
///
/// # Errors
///
/// `InvalidInput` for what is no such image, is damaged, or is past the limits: 64 MiB, 16,384 pixels wide or high, 256 MiB decoded.
pub fn thumbnail(image: &[u8], edge: u32) -> Result<Thumbnail> {
    if image.len() > THUMBNAIL_SOURCE_BYTES_MAX {
        return Err(Error::new(ErrorKind::InvalidInput, "the image is too large for a thumbnail").during("thumbnail"));
    }
    made(image, edge.max(1)).map_err(|error| {
        let message = "no thumbnail can be made of this: no image of a known kind, damaged, or past the limits";
        Error::new(ErrorKind::InvalidInput, message).with_source(error).during("thumbnail")
    })
}

fn made(image: &[u8], edge: u32) -> Result<Thumbnail, image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(image)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(EDGE_MAX);
    limits.max_image_height = Some(EDGE_MAX);
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    reader.limits(limits);
    let decoded = reader.decode()?;
    let small = if decoded.width().max(decoded.height()) > edge { decoded.thumbnail(edge, edge) } else { decoded };
    // JPEG has no transparency.
    let small = small.to_rgb8();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&small)?;
    let (width, height, size) = (small.width(), small.height(), bytes.len());
    let info = format!(r#"{{"mimetype":"image/jpeg","w":{width},"h":{height},"size":{size}}}"#);
    Ok(Thumbnail { bytes: Bytes::from(bytes), info: Json::new(info).expect("numbers in braces are JSON") })
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbaImage};

    use super::*;

    fn picture(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::from_fn(width, height, |x, y| image::Rgba([x as u8, y as u8, 0, 200]))
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_longer_edge_is_as_asked() {
        for ((width, height), info) in
            [((640, 480), r#""w":320,"h":240"#), ((100, 800), r#""w":40,"h":320"#), ((20, 10), r#""w":20,"h":10"#)]
        {
            let made = thumbnail(&picture(width, height), 320).unwrap();
            assert!(made.info.as_str().contains(info), "{}", made.info.as_str());
            assert_eq!(image::guess_format(&made.bytes).unwrap(), ImageFormat::Jpeg);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        let mut damaged = picture(64, 64);
        damaged.truncate(60);
        // A PNG that says it is larger than may be, in its first chunk.
        let mut huge = picture(4, 4);
        huge[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        for bytes in [&b""[..], b"no image", &damaged, &huge] {
            assert_eq!(thumbnail(bytes, 320).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
