import Foundation
import JSON
import Testing

/// Random documents, whole and damaged, read by this reader and by Foundation's.
///
/// Where this reader refuses and Foundation accepts, the reason must be one of the documented ones: a duplicate
/// member, U+0000 in a string, nesting beyond the limit, a byte order mark or another encoding, a comma before the
/// end of an object or array, or a NUL byte outside strings.
@Suite struct DifferentialTests {
    @Test func agreesOnValidDocuments() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for round in 0..<2_000 {
            let value = random.document(depth: 4)
            let bytes = random.spell(value)
            let read = try JSONValue(parsing: bytes)
            #expect(read == value, "seed \(seed) round \(round)")
            #expect(try JSONValue(parsing: read.compactBytes) == value, "seed \(seed) round \(round)")
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(same(read, theirs), "seed \(seed) round \(round): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func agreesOnDamagedDocuments() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var refusals = 0
        for round in 0..<10_000 {
            let bytes = random.damage(random.spell(random.document(depth: 3)))
            let theirs = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            let text = String(decoding: bytes, as: UTF8.self)
            do {
                let ours = try JSONValue(parsing: bytes)
                #expect(theirs.map { same(ours, $0) } ?? beyondFoundation(ours), "seed \(seed) round \(round): \(text)")
            } catch {
                refusals += 1
                guard theirs != nil else { continue }
                #expect(isStricter(error, bytes), "seed \(seed) round \(round): \(error) \(text)")
            }
        }
        #expect(refusals > 1_000)
    }

    @Test func neverTrapsOnNoise() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\",:\\u0123dD8eE+-.ntrfalse \n\u{1}é".utf8) + [0x00, 0x80, 0xC2, 0xED, 0xF4, 0xFF]
        for _ in 0..<50_000 {
            let length = Int.random(in: 0...24, using: &random)
            let bytes = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect((try? JSONValue(parsing: value.compactBytes)) == value, "seed \(seed): \(bytes)")
            #expect((try? JSONValue(parsing: value.canonicalBytes)) != nil, "seed \(seed): \(bytes)")
        }
    }

    /// The documented differences.
    private func isStricter(_ error: JSONError, _ bytes: [UInt8]) -> Bool {
        // Foundation guesses UTF-16 and UTF-32 from NUL bytes and otherwise skips them.
        if bytes.contains(0) { return true }
        switch error.kind {
        case .duplicateMember, .nulCharacter, .tooDeep, .byteOrderMark: return true
        // Foundation accepts a comma before the end of an object or array.
        case .unexpectedByte(UInt8(ascii: "}")), .unexpectedByte(UInt8(ascii: "]")): return true
        default: return false
        }
    }

    /// A document that Foundation refuses only because a number does not fit into its number type.
    private func beyondFoundation(_ value: JSONValue) -> Bool {
        switch value {
        case .number(let text):
            (Double(text) ?? .infinity).isInfinite || text.count > 15 || text.contains { "eE".contains($0) }
        case .array(let elements): elements.contains(where: beyondFoundation)
        case .object(let members): members.contains { beyondFoundation($0.value) }
        default: false
        }
    }

    private func same(_ ours: JSONValue, _ theirs: Any) -> Bool {
        switch ours {
        case .null: return theirs is NSNull
        case .boolean(let flag): return (theirs as? Bool) == flag
        case .number(let text):
            guard let number = theirs as? NSNumber, let expected = Double(text) else { return false }
            let difference = abs(number.doubleValue - expected)
            return difference <= abs(expected) * 1e-12 || difference < 1e-300
        case .string(let text): return (theirs as? String).map { Array($0.utf8) } == Array(text.utf8)
        case .array(let elements):
            guard let array = theirs as? [Any], array.count == elements.count else { return false }
            return zip(elements, array).allSatisfy { same($0, $1) }
        case .object(let members):
            guard let object = theirs as? [String: Any], object.count == members.count else { return false }
            return members.allSatisfy { member in object[member.name].map { same(member.value, $0) } ?? false }
        }
    }
}
