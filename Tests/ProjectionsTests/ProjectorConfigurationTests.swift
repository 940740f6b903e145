import Messaging
import Testing

@testable import Projections

@Suite struct ProjectorConfigurationTests {
    @Test func aPortionIsFullWhenMoreIsWaiting() {
        var configuration = ProjectorConfiguration(
            stream: StreamConfiguration(name: "S", subjects: ["s"]), consumer: ConsumerConfiguration(name: "c"))
        configuration.batch = 500
        configuration.bytesMax = 8 << 20
        #expect(!configuration.isFull(messages: 499, bytes: 1 << 20))
        #expect(configuration.isFull(messages: 500, bytes: 1))
        #expect(configuration.isFull(messages: 9, bytes: 9 << 20))
        // The next message, of a megabyte, did not fit.
        #expect(configuration.isFull(messages: 7, bytes: 7 << 20))
        #expect(!configuration.isFull(messages: 1, bytes: 5 << 20))
    }
}
