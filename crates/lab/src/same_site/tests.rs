use super::*;

const OWN: (&str, &str) = ("host", "localhost:3000");

fn asked(is_api: bool, reads: bool, headers: &[(&'static str, &str)]) -> Option<StatusCode> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let hosts = Hosts::new(&["lab.example".parse().unwrap(), "box:8080".parse().unwrap()]);
    let asked = Asked { headers: &map, authority: None, is_api, reads };
    asked.objection(&hosts).map(|refusal| refusal.response(Form::Json).status())
}

fn page(headers: &[(&'static str, &str)]) -> Option<StatusCode> {
    asked(false, true, headers)
}

fn api(headers: &[(&'static str, &str)]) -> Option<StatusCode> {
    asked(true, false, headers)
}

const REFUSED: Option<StatusCode> = Some(StatusCode::FORBIDDEN);

#[test]
fn a_name_that_anybody_can_point_here_is_refused_unless_stated() {
    for host in [
        "evil.example:3000",
        "evil.example",
        "localhost.evil.example:3000",
        "box:3000",
        "box",
        "127.0.0.1.evil.example",
    ] {
        assert_eq!((page(&[("host", host)]), api(&[("host", host)])), (REFUSED, REFUSED), "{host}");
    }
    for host in [
        "127.0.0.1:3000",
        "localhost:3000",
        "LOCALHOST:3000",
        "localhost:8080",
        "[::1]:3000",
        "192.168.1.5",
        "lab.example",
        "lab.example:443",
        "box:8080",
    ] {
        assert_eq!((page(&[("host", host)]), api(&[("host", host)])), (None, None), "{host}");
    }
}

#[test]
fn not_exactly_one_host_is_a_bad_request() {
    let bad = Some(StatusCode::BAD_REQUEST);
    assert_eq!(page(&[]), bad);
    assert_eq!(page(&[OWN, OWN]), bad);
    assert_eq!(page(&[("host", "a b")]), bad);
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost:3000"))]);
    let whole = |authority: &'static str| {
        let authority = Authority::from_static(authority);
        Asked { headers: &headers, authority: Some(&authority), is_api: false, reads: true }.host().is_some()
    };
    assert!(whole("localhost:3000") && !whole("evil.example:3000"));
}

#[test]
fn a_foreign_site_may_link_to_pages_and_nothing_else() {
    for site in ["cross-site", "same-site", "?"] {
        let foreign = ("sec-fetch-site", site);
        let link = [OWN, foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(page(&link), None, "{site}");
        assert_eq!(asked(true, true, &link), REFUSED, "a link to the API");
        assert_eq!(asked(false, false, &link), REFUSED, "a form that posts");
        for (mode, dest) in [("navigate", "iframe"), ("no-cors", "image"), ("no-cors", "script"), ("cors", "empty")] {
            let embeds = [OWN, foreign, ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            assert_eq!((page(&embeds), api(&embeds)), (REFUSED, REFUSED), "{site} {mode} {dest}");
        }
        assert_eq!((page(&[OWN, foreign]), api(&[OWN, foreign])), (REFUSED, REFUSED));
    }
    for site in ["none", "same-origin"] {
        assert_eq!(api(&[OWN, ("sec-fetch-site", site)]), None);
    }
}

#[test]
fn a_foreign_origin_is_refused() {
    for origin in ["null", "http://evil.example", "http://localhost:3001", "http://localhost", "ftp://localhost:3000"] {
        assert_eq!(api(&[OWN, ("origin", origin)]), REFUSED, "{origin}");
    }
    // A proxy in front may speak TLS, and may say another host than its own.
    for origin in ["http://localhost:3000", "https://localhost:3000", "https://lab.example", "http://box:8080"] {
        assert_eq!(api(&[OWN, ("origin", origin)]), None, "{origin}");
    }
}
