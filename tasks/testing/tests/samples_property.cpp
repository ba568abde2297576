// Properties that hold and properties that don't.
#include <stdexcept>
#include <vector>

#include "runtime/error.hpp"
#include "testing/kit.hpp"
#include "testing/property.hpp"

namespace {

TEST(Property, Holds) {
  workbook::property("addition commutes", [](int a, int b) { return 0LL + a + b == 0LL + b + a; });
  workbook::property("also with expectations",
                     [](std::vector<int> numbers) { EXPECT_LE(numbers.size(), 1000u); });
}

TEST(Property, FailsByReturning) {
  workbook::property("all numbers are small", [](int number) { return number < 17; });
}

TEST(Property, FailsByExpecting) {
  workbook::property("all lists are short", [](const std::vector<int>& list) {
    workbook::History history;
    history.add("a list of " + std::to_string(list.size()));
    EXPECT_LT(list.size(), 5u) << "too long";
  });
}

TEST(Property, FailsByThrowing) {
  workbook::property("nothing throws", [](int number) {
    if (number > 3) throw std::runtime_error("out of luck");
  });
}

TEST(Property, IsNotWritten) {
  workbook::property("it is written", [](int) { futures::not_implemented(); });
}

TEST(Property, RejectsAllInputs) {
  workbook::property("of nothing anything is true", [](int) { RC_PRE(false); });
}

}  // namespace
