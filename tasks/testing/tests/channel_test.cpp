// The lines of the result channel.
#include <array>
#include <string>

#include "testing/kit.hpp"
#include "testing/result_channel.hpp"

namespace {

using workbook::Event;

TEST(AnEvent, IsOneObject) {
  EXPECT_EQ(Event("done").json(), R"({"event":"done"})");
  const std::array<std::string, 2> tests{"Basic.A", "Basic.B"};
  EXPECT_EQ(Event("begin").texts("tests", tests).text("flavour", "plain").json(),
            R"({"event":"begin","tests":["Basic.A","Basic.B"],"flavour":"plain"})");
  EXPECT_EQ(Event("begin").texts("tests", {}).json(), R"({"event":"begin","tests":[]})");
}

TEST(AnEvent, WritesWholeNumbersAsSuch) {
  EXPECT_EQ(Event("end").number("ms", 1.25).number("line", 12).flag("exhausted", true).json(),
            R"({"event":"end","ms":1.250,"line":12,"exhausted":true})");
  EXPECT_EQ(Event("counters").number("rounds", 123456789.0).json(),
            R"({"event":"counters","rounds":123456789})");
}

TEST(AnEvent, QuotesWhatJsonCantHold) {
  EXPECT_EQ(Event("x").text("m", "a\"b\\c\nd\te\x01").json(),
            R"({"event":"x","m":"a\"b\\c\nd\u0009e\u0001"})");
}

TEST(AnEvent, KeepsUnicodeAndReplacesWhatIsNone) {
  EXPECT_EQ(Event("x").text("m", "\u00fc \u20ac \U0001F600").json(),
            "{\"event\":\"x\",\"m\":\"\u00fc \u20ac \U0001F600\"}");
  // A stray byte, an overlong slash, half a pair of surrogates, a character cut off.
  EXPECT_EQ(Event("x").text("m", "\xff|\xc0\xaf|\xed\xa0\x80|\xe2\x82").json(),
            R"({"event":"x","m":"\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd"})");
}

TEST(TheChannel, IsAbsentByHand) {
  EXPECT_FALSE(workbook::ResultChannel::instance().present());
  workbook::ResultChannel::instance().send(Event("ignored"));
}

}  // namespace
