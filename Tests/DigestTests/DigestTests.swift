import Digest
import Testing

@Suite struct DigestTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // The examples that NIST publishes for FIPS 180, and the empty text.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]) func matchesTheKnownAnswers(_ text: String, _ expected: String) {
        #expect(hex(Digest.sha256(Array(text.utf8))) == expected)
        #expect(Digest.sha256Prefix(text) == UInt128(expected.prefix(32), radix: 16))
    }

    @Test func matchesTheKnownAnswerOfAMillionBytes() {
        let bytes = [UInt8](repeating: 0x61, count: 1_000_000)
        #expect(hex(Digest.sha256(bytes)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}

/// Bytes that come in pieces have the digest of the whole.
@Suite struct RunningDigestTests {
    @Test(arguments: [0, 1, 55, 64, 65, 1000]) func piecesMakeTheWhole(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for piece in [1, 7, 64, 4096] {
            var running = RunningDigest()
            for start in stride(from: 0, to: count, by: piece) {
                running.update(bytes[start..<min(count, start + piece)])
                // Asking on the way changes nothing.
                #expect(running.fingerprint.bytes == Digest.sha256(Array(bytes[..<min(count, start + piece)])))
            }
            #expect(running.fingerprint.bytes == Digest.sha256(bytes))
            #expect(running.prefix == Digest.sha256(bytes).prefix(16).reduce(0) { $0 << 8 | UInt128($1) })
        }
        var lazily = RunningDigest()
        lazily.update(bytes.lazy.map { $0 })
        #expect(lazily.fingerprint.bytes == Digest.sha256(bytes))
    }

    @Test func fingerprintsAreTheBytesTheyWereMadeOf() {
        let bytes = Digest.sha256([1])
        let fingerprint = bytes.withUnsafeBytes { Fingerprint($0) }
        #expect(fingerprint.bytes == bytes)
        #expect(fingerprint == (bytes + [9]).withUnsafeBytes { Fingerprint($0) }, "only 32 bytes count")
        for place in 0..<32 {
            var other = bytes
            other[place] ^= 1
            #expect(fingerprint != other.withUnsafeBytes { Fingerprint($0) })
        }
        #expect(Fingerprint().bytes == [UInt8](repeating: 0, count: 32))
        #expect(bytes[..<3].withUnsafeBytes { Fingerprint($0) }.bytes == bytes[..<3] + [UInt8](repeating: 0, count: 29))
    }
}
