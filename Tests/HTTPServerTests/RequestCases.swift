/// Requests in the shapes that attacks and careless clients use.
enum RequestCases {
    /// Each is answered by exactly these requests and no refusal.
    static let accepted: [(input: String, results: [String])] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / 1.1 keep|Host=a|"]),
        ("GET / HTTP/1.1\r\nhost:a\r\n\r\n", ["GET / 1.1 keep|host=a|"]),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", ["GET / 1.1 keep|Host=|"]),
        ("GET / HTTP/1.1\r\nHost: \t a:80 \t\r\n\r\n", ["GET / 1.1 keep|Host=a:80|"]),
        ("GET / HTTP/1.1\r\nHost: [::1]:8089\r\n\r\n", ["GET / 1.1 keep|Host=[::1]:8089|"]),
        ("GET /?a=1&b=%2F?x HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /?a=1&b=%2F?x 1.1 keep|Host=a|"]),
        ("GET /a/b;c=1/..//%00 HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /a/b;c=1/..//%00 1.1 keep|Host=a|"]),
        ("GET /? HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /? 1.1 keep|Host=a|"]),
        ("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /b?c 1.1 keep|Host=a|"]),
        ("GET HTTP://a:80 HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / 1.1 keep|Host=a|"]),
        ("GET http://a?c HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /?c 1.1 keep|Host=a|"]),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS * 1.1 keep|Host=a|"]),
        ("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", ["M-SEARCH / 1.1 keep|Host=a|"]),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", ["get / 1.1 keep|Host=a|"]),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / 1.1 keep|Host=a|"]),
        ("GET / HTTP/1.0\r\n\r\n", ["GET / 1.0 close|"]),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", ["GET / 1.0 keep|Connection=Keep-Alive|"]),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", ["GET / 1.0 close|Connection=keep-alive, close|"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", ["GET / 1.1 close|Host=a|Connection=Close|"]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: te ,close,\r\n\r\n",
            ["GET / 1.1 close|Host=a|Connection=te ,close,|"]
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", ["GET / 1.1 keep|Host=a|Connection=closed|"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: é\r\n\r\n", ["GET / 1.1 keep|Host=a|X=é|"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb  c\r\nX:\r\n\r\n", ["GET / 1.1 keep|Host=a|X=a\tb  c|X=|"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", ["POST / 1.1 keep|Host=a|Content-Length=0|"]),
        ("POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 3\r\n\r\nabc", ["POST / 1.1 keep|Host=a|content-LENGTH=3|abc"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", ["GET / 1.1 keep|Host=a|Content-Length=1|x"]),
        (chunked("3\r\nabc\r\n0\r\n\r\n"), [chunkedResult("abc")]),
        (chunked("0\r\n\r\n"), [chunkedResult("")]),
        (chunked("1\r\na\r\nA\r\n0123456789\r\n00000000\r\n\r\n"), [chunkedResult("a0123456789")]),
        (chunked("a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n"), [chunkedResult("\r\n\r\n\r\n\r\n\r\n")]),
        (chunked("3;a=b;c=\"d e\"\r\nabc\r\n0;last\r\n\r\n"), [chunkedResult("abc")]),
        (chunked("1\r\na\r\n0\r\nExpires: never\r\nX-Sum: 1\r\n\r\n"), [chunkedResult("a")]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
            ["POST / 1.1 keep|Host=a|Transfer-Encoding=CHUNKED|"]
        ),
        (
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            ["GET /1 1.1 keep|Host=a|", "GET /2 1.1 keep|Host=a|"]
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            ["POST / 1.1 keep|Host=a|Content-Length=2|ab", "GET /2 1.1 keep|Host=a|"]
        ),
        (chunked("2\r\nab\r\n0\r\n\r\n") + "GET /2 HTTP/1.0\r\n\r\n", [chunkedResult("ab"), "GET /2 1.0 close|"]),
        ("", []), ("GET", ["partial"]), ("GET / HTTP/1.1\r\nHost: a\r\n", ["partial"]), ("\r\n", ["partial"]),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r", ["partial"]), (chunked("3\r\nab"), ["partial"]),
        (chunked("0\r\n"), ["partial"]),
        (chunked("0\r\n\r"), ["partial"]), (fields(["Content-Length: 2"]) + "a", ["partial"]),
    ]

    /// Each is refused with this status.
    static let refused: [(input: String, status: Int)] =
        requestLines.map { ($0 + "Host: a\r\n\r\n", 400) }
        + versions.map { ("GET / \($0)\r\nHost: a\r\n\r\n", 505) }
        + badFields.map { (fields([$0]), 400) }
        + framings.map { (fields($0.fields) + "0\r\n\r\n", $0.status) }
        + badChunks.map { (chunked($0.body), $0.status) }
        + [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\tHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", 400), ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400), ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("\0", 400), ("\u{16}\u{3}\u{1}", 400), (" ", 400),
            ("GET\0", 400), (String(repeating: "A", count: 33), 400), ("{\"a\":1}", 400), ("\u{FEFF}GET", 400),
            ("GET /" + String(repeating: "a", count: 20_000), 414),
            ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 20_000), 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: a\r\n", count: 64) + "\r\n", 431),
            ("GET / HTTP/1.1\r\n" + String(repeating: "X-Long-Name: a\r\n", count: 2_000), 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxyz / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ]

    private static let requestLines = [
        "GET  / HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n", "GET /  HTTP/1.1\r\n", " GET / HTTP/1.1\r\n", "GET /\r\n",
        "GET\r\n", "GET \r\n", "GET / \r\n", "GET HTTP/1.1\r\n", "GET\t/ HTTP/1.1\r\n", "GET /\tHTTP/1.1\r\n",
        "GET / http/1.1\r\n", "GET / HTTP/1\r\n", "GET / HTTP/11\r\n", "GET / HTTP/1.1x\r\n", "GET / HTTP/1,1\r\n",
        "GET / HTTP/ 1.1\r\n", "GET / HTTP /1.1\r\n", "GET / XTTP/1.1\r\n", "GET / HTTP/a.1\r\n", "GET / HTTP/-1.1\r\n",
        "GET / HTTP/1.10\r\n", "G\u{E9}T / HTTP/1.1\r\n", "G(T / HTTP/1.1\r\n", "G\0T / HTTP/1.1\r\n",
        "GET: / HTTP/1.1\r\n", "GET a HTTP/1.1\r\n", "GET ?a HTTP/1.1\r\n", "GET * HTTP/1.1\r\n",
        "OPTIONS ** HTTP/1.1\r\n",
        "GET a:80 HTTP/1.1\r\n", "CONNECT a:80 HTTP/1.1\r\n", "GET https://a/ HTTP/1.1\r\n",
        "GET ftp://a/ HTTP/1.1\r\n",
        "GET http:/// HTTP/1.1\r\n", "GET http://u@a/ HTTP/1.1\r\n", "GET http:// HTTP/1.1\r\n",
        "GET /a b HTTP/1.1\r\n",
        "GET /\u{1} HTTP/1.1\r\n", "GET /\0 HTTP/1.1\r\n", "GET /\u{7F} HTTP/1.1\r\n", "GET /é HTTP/1.1\r\n",
        "GET /% HTTP/1.1\r\n", "GET /%1 HTTP/1.1\r\n", "GET /%zz HTTP/1.1\r\n", "GET /%1g HTTP/1.1\r\n",
        "GET /a#b HTTP/1.1\r\n", "GET /<a> HTTP/1.1\r\n", "GET /\"a\" HTTP/1.1\r\n", "GET /\\a HTTP/1.1\r\n",
        "GET /a|b HTTP/1.1\r\n", "GET /{a} HTTP/1.1\r\n", "GET /a^ HTTP/1.1\r\n", "GET /`a` HTTP/1.1\r\n",
        "GET /?a=% HTTP/1.1\r\n", "GET /\r HTTP/1.1\r\n", "GET /\u{B} HTTP/1.1\r\n", "GET /\u{A0} HTTP/1.1\r\n",
    ]

    private static let versions = ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"]

    private static let badFields = [
        "X : a", "X\t: a", " X: a", "\tX: a", ": a", "X", "X a", "X;: a", "X\0: a", "X\u{E9}: a", "X\u{7F}: a",
        "X: a\0b",
        "X: a\u{1}", "X: a\u{7F}", "X: a\rb", "X: a\r", "X: a\nY: b", "X: a\n b", "X: a\r\n b", "X: a\r\n\tb",
        "X: a\r\n ", "X: a\u{B}", "X: a\u{8}", "\rX: a", "X\r: a", "X\n: a", "(X): a", "X/Y: a", "[X]: a", "X@: a",
        "\"X\": a", "{X}: a", "X=: a", "X?: a", "X,: a", "X\\: a", "\u{B}X: a", "Content-Length : 0",
        "Transfer-Encoding : chunked",
        "Host: b", "Host : a", "Transfer-Encoding\t: chunked", "Transfer-Encoding\r\n : chunked", "Content-Length: 1\0",
    ]

    private static let framings: [(fields: [String], status: Int)] = [
        // Both, in either order and however they are spelt.
        (["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: chunked", "Content-Length: 5"], 400),
        (["transfer-encoding: chunked", "CONTENT-LENGTH: 0"], 400),
        (["Transfer-Encoding:\tchunked", "Content-Length:5"], 400),
        // Repeated lengths, even equal ones.
        (["Content-Length: 5", "Content-Length: 5"], 400), (["Content-Length: 5", "content-length: 6"], 400),
        (["Content-Length: 0", "Content-Length: 5"], 400), (["Content-Length: 5, 5"], 400),
        (["Content-Length: 5,6"], 400),
        // Lengths that are not plain numbers.
        (["Content-Length: +5"], 400), (["Content-Length: -1"], 400), (["Content-Length: 0x5"], 400),
        (["Content-Length: 5a"], 400),
        (["Content-Length:"], 400), (["Content-Length: 5 5"], 400), (["Content-Length: 5.0"], 400),
        (["Content-Length: \"5\""], 400),
        (["Content-Length: 05"], 400), (["Content-Length: 00"], 400), (["Content-Length: 1e3"], 400),
        (["Content-Length: 1_0"], 400),
        (["Content-Length: ٥"], 400), (["Content-Length: 5;"], 400), (["Content-Length: \u{B}5"], 400),
        (["Content-Length: ,5"], 400),
        // Lengths beyond every limit.
        (["Content-Length: 65537"], 413), (["Content-Length: 4294967296"], 413), (["Content-Length: 4294967301"], 413),
        (["Content-Length: 9223372036854775807"], 413), (["Content-Length: 9223372036854775808"], 413),
        (["Content-Length: 18446744073709551616"], 413), (["Content-Length: 18446744073709551621"], 413),
        (["Content-Length: " + String(repeating: "9", count: 1_000)], 413),
        // Encodings.
        (["Transfer-Encoding: identity"], 501), (["Transfer-Encoding: gzip"], 501),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: chunked, chunked"], 501), (["Transfer-Encoding: chunked, identity"], 501),
        (["Transfer-Encoding: xchunked"], 501), (["Transfer-Encoding: chunked;q=1"], 501),
        (["Transfer-Encoding: \"chunked\""], 501),
        (["Transfer-Encoding: chunk"], 501), (["Transfer-Encoding:"], 501), (["Transfer-Encoding: ,chunked"], 501),
        (["Transfer-Encoding: chunked,"], 501), (["Transfer-Encoding: chun ked"], 501),
        (["Transfer-Encoding: \u{B}chunked"], 400),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 400), (["Transfer-Encoding: ſchunked"], 501),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], 400),
        (["Transfer-Encoding: x", "Content-Length: 1"], 501),
        // Expectations.
        (["Expect: 200-ok"], 417), (["Expect: 100-continue, x"], 417), (["Expect:"], 417), (["Expect: 100"], 417),
    ]

    private static let badChunks: [(body: String, status: Int)] = [
        ("\r\n", 400), ("x\r\n", 400), ("g\r\n", 400), ("0x3\r\nabc\r\n", 400), ("+3\r\nabc\r\n", 400), ("-3\r\n", 400),
        (" 3\r\nabc\r\n", 400), ("3 \r\nabc\r\n", 400), ("3\t\r\nabc\r\n", 400), ("3 ;a\r\nabc\r\n", 400),
        ("3\nabc\n0\n\n", 400),
        ("3\rabc", 400), ("3\r\nabc0\r\n", 400), ("3\r\nabcd\r\n", 400), ("3\r\nabc\n0\r\n", 400), ("3\r\nabc\rX", 400),
        ("3\r\nabc\r\n\r\n", 400), (";a\r\n", 400), ("3,4\r\n", 400), ("3.0\r\n", 400), ("3_0\r\n", 400),
        ("\03\r\n", 400),
        ("3\0\r\n", 400), ("3;a\nb\r\n", 400), ("3;\u{1}\r\n", 400), ("3;é\r\n", 400), ("3;a\rb\r\n", 400),
        ("000000003\r\n", 400),
        ("fffffffff\r\n", 400), ("100000000000000003\r\n", 400), ("ffffffffffffffff\r\n", 400),
        ("10000000000000000\r\n", 400),
        ("ffffffff\r\n", 413), ("7fffffff\r\n", 413), ("80000000\r\n", 413), ("10001\r\n", 413),
        ("10000;a\r\n" + "x", 0),
        ("1\r\na\r\n10000\r\n", 413), ("0\r\nX : a\r\n\r\n", 400), ("0\r\n X: a\r\n\r\n", 400), ("0\r\nX\r\n\r\n", 400),
        ("0\r\nX: a\n\r\n", 400), ("0\r\n\n", 400), ("0\r\nX: \0\r\n\r\n", 400), ("0\r\n\rX", 0),
        ("0\r\nX: a\rb\r\n\r\n", 400),
        ("0\r\nX: " + String(repeating: "a", count: 9_000), 431), ("3;" + String(repeating: "a", count: 5_000), 400),
        (String(repeating: "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n", count: 200), 400), ("٣\r\nabc\r\n", 400),
        ("0\r\n" + String(repeating: "X: a\r\n", count: 2_000), 431), ("3;a=\"\r\n\"\r\nabc\r\n", 400),
    ]

    static func fields(_ lines: [String]) -> String {
        "POST / HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    static func chunked(_ body: String) -> String { fields(["Transfer-Encoding: chunked"]) + body }

    private static func chunkedResult(_ body: String) -> String {
        "POST / 1.1 keep|Host=a|Transfer-Encoding=chunked|" + body
    }
}
