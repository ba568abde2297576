// The rules on the text of my_test.cpp: what asks how a version is written is refused, by line;
// what calls it and looks at the results is not.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "policy.hpp"
#include "workbook.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

constexpr auto includes = "#include <gtest/gtest.h>\n#include \"promise.hpp\"\n";

Stage stage_of(const std::string& test, const std::string& header = "class Promise {};\n") {
  Stage stage;
  stage.source = "04_promise/my_test.cpp";
  stage.files = {{.path = stage.source, .bytes = test, .trusted = false},
                 {.path = "04_promise/promise.hpp", .bytes = header, .trusted = false}};
  return stage;
}

std::string refusal(const std::string& code) {
  return refuse_source(stage_of(includes + code), {}).value_or("");
}

std::string expanded_refusal(const std::string& code) {
  const auto text = "# 1 \"04_promise/my_test.cpp\"\n" + code;
  return refuse_expansion(stage_of(""), text, {}, [](const auto&) { return std::string(); })
      .value_or("");
}

struct Trick {
  const char* code;
  const char* words;  // of what its author is told
};

void PrintTo(const Trick& trick, std::ostream* out) { *out << trick.code; }

class OwnTestTricks : public testing::TestWithParam<Trick> {};

TEST_P(OwnTestTricks, AreRefusedByLine) {
  const auto told = refusal(GetParam().code);
  EXPECT_TRUE(told.starts_with("my_test.cpp:3: ")) << told;
  EXPECT_TRUE(told.contains(GetParam().words)) << told;
}

INSTANTIATE_TEST_SUITE_P(
    Operators, OwnTestTricks,
    testing::Values(
        Trick{"template <class P> constexpr bool marked = requires { P::spare; };", "`requires`"},
        Trick{"template <class P> concept Marked = true;", "`concept`"},
        Trick{"struct Spy { friend class Promise; };", "`friend`"},
        Trick{"static const auto size = sizeof(Promise);", "`sizeof`"},
        Trick{"static const auto size = alignof(Promise);", "`alignof`"},
        Trick{"static const auto place = offsetof(Promise, x);", "`offsetof`"},
        Trick{"static const auto& type = typeid(Promise);", "`typeid`"},
        Trick{"static const bool quiet = noexcept(Promise().x());", "`noexcept(...)`"},
        Trick{"using Type = decltype(Promise().x());", "`decltype`"},
        Trick{"using Type = __typeof__(Promise().x());", "__typeof__"},
        Trick{"const bool large = __builtin_object_size(p, 0) > 8;", "__builtin_object_size"},
        Trick{"const bool easy = __is_trivial(Promise);", "__is_trivial"},
        Trick{"const int n = __COUNTER__;", "__COUNTER__"},
        Trick{"const char* name = __PRETTY_FUNCTION__;", "__PRETTY_FUNCTION__"},
        Trick{"auto name() { return std::source_location::current().function_name(); }",
              "function_name"}));

INSTANTIATE_TEST_SUITE_P(
    Bytes, OwnTestTricks,
    testing::Values(
        Trick{"auto* code = reinterpret_cast<const char*>(&futures::async);", "reinterpret_cast"},
        Trick{"const auto bits = std::bit_cast<std::array<char, 8>>(call);", "bit_cast"},
        Trick{"void look(P& p) { std::memcpy(bytes, &p, 8); }", "memcpy"},
        Trick{"union Both { P p; char bytes[8]; };", "`union`"},
        Trick{"const void* place = &future;", "pointer to void"},
        Trick{"void const* place = &future;", "pointer to void"},
        Trick{"auto* code = (const unsigned char*)&futures::async;", "cast to a pointer"},
        Trick{"auto* code = (const unsigned char* const)call;", "cast to a pointer"},
        Trick{"auto* code = (unsigned char*)(call);", "cast to a pointer"},
        Trick{"#define LOOK(x) ((char*)x)", "cast to a pointer"},
        Trick{"const std::string image = testing::PrintToString(promise);", "PrintToString"},
        Trick{"void look(int n, ...) { va_list all; }", "va_list"},
        Trick{"namespace futures::detail { Hidden* const mine = nullptr; }", "opens namespace"},
        Trick{"namespace futures { Hidden* const mine = nullptr; }", "opens namespace"},
        Trick{"auto* code = static_cast<const char*>(found);", "cast to a pointer"}));

INSTANTIATE_TEST_SUITE_P(
    Types, OwnTestTricks,
    testing::Values(
        Trick{"const bool easy = std::is_trivially_copyable_v<Promise>;", "is_trivially_copyable"},
        Trick{"using std::is_polymorphic; bool x = is_polymorphic<P>();", "is_polymorphic"},
        Trick{"using namespace std; bool x = is_polymorphic<P>();", "is_polymorphic"},
        Trick{"const bool x = std::has_virtual_destructor<P>::value;", "has_virtual_destructor"},
        Trick{"template <class T> std::void_t<T> f();", "void_t"},
        Trick{"using X = std::enable_if_t<true>;", "enable_if"},
        Trick{"const bool movable = std::movable<Promise>;", "movable"},
        Trick{"void f(std::invocable auto call);", "invocable"},
        Trick{"const bool x = testing::internal::IsContainerTest<P>(0);", "testing::internal"},
        Trick{"const auto member = &Promise<int>::resolve;", "pointer to a member"},
        Trick{"const auto member = std::invoke(&P::resolve, p);", "pointer to a member"},
        Trick{"template <class C> void f(int C::*member);", "pointer to a member"}));

INSTANTIATE_TEST_SUITE_P(
    Templates, OwnTestTricks,
    testing::Values(Trick{"template <class P, class = void> struct S {};", "template parameter"},
                    Trick{"template <class P, typename P::mark* p> void f();", "parameter"},
                    Trick{"template <std::integral T> void f();", "integral"},
                    Trick{"template <class P, int n = P::other> void f();", "template parameter"},
                    Trick{"template <class P, (P::other)> void f();", "template parameter"},
                    Trick{"auto f = []<class P, P* p>(P) {};", "template parameter"},
                    Trick{"template <class P> bool f(typename P::mark*);", "signature"},
                    Trick{"template <class P> P::mark f();", "signature"},
                    Trick{"template <class P> Wrapped<P>::mark (f)(int);", "signature"},
                    Trick{"template <class P> bool f(int (*)[Wrapped<P>::other]);", "signature"},
                    Trick{"template <class P> bool f(int (*)[((P*)nullptr)->other]);", "signature"},
                    Trick{"auto f = []<class P>(typename P::mark*) {};", "signature"}));

INSTANTIATE_TEST_SUITE_P(
    Macros, OwnTestTricks,
    testing::Values(Trick{"#ifdef MARK", "#ifdef MARK"}, Trick{"#if __cpp_lib_jthread", "#if"},
                    Trick{"#if __has_include(\"earlier/x.hpp\")", "__has_include"},
                    Trick{"#define ASK requires", "`requires`"},
                    Trick{"#define GLUE(a, b) a##b", "##"}, Trick{"#define sizeof(x) 1", "keyword"},
                    Trick{"struct S { GTEST_DISALLOW_COPY_AND_ASSIGN_(S); };", "to themselves"},
                    Trick{"RC_SFINAE_TRAIT(HasMark, T().mark())", "to themselves"},
                    Trick{"bool b = RC_GLUE(is, _same)<P, Q>;", "to themselves"}));

TEST(OwnTestRules, AMarkOfUtf8IsNoCode) {
  EXPECT_EQ(refuse_source(stage_of("\xEF\xBB\xBF" + std::string(includes)), {}).value_or(""), "");
}

TEST(OwnTestRules, ATestIsOneFile) {
  auto stage = stage_of("#include \"promise.hpp\"\n#include \"my_helpers.hpp\"\n");
  stage.files.push_back({.path = "04_promise/my_helpers.hpp", .bytes = "", .trusted = false});
  const auto told = refuse_source(stage, {.header = "promise.hpp"}).value_or("");
  EXPECT_TRUE(told.starts_with("my_test.cpp:2: includes my_helpers.hpp")) << told;
}

TEST(OwnTestRules, HeadersComeBeforeEverythingElse) {
  for (const auto* first : {"#define reject(...) spare_(); friend struct ::Spy; bool reject(x)\n",
                            "struct Spy;\n", "namespace other {\n", "#undef NDEBUG\n", "#if 1\n"}) {
    const auto told = refuse_source(
        stage_of("#include <gtest/gtest.h>\n" + std::string(first) + "#include \"promise.hpp\"\n"),
        {});
    ASSERT_TRUE(told) << first;
    EXPECT_TRUE(told->starts_with("my_test.cpp:2: ")) << *told;
    EXPECT_TRUE(told->contains("line 3")) << *told;
  }
}

TEST(OwnTestRules, AHeadersMacroIsNotForTests) {
  const auto test = std::string(includes) + "const bool marked = ASK(x);\n";
  const auto told = refuse_source(stage_of(test, "#define ASK(x) requires { x; }\n"), {});
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->starts_with("my_test.cpp:3: ") && told->contains("promise.hpp")) << *told;
}

TEST(OwnTestRules, HoldForWhatMacrosMakeOfIt) {
  EXPECT_TRUE(expanded_refusal("\nbool b = requires { P::x; };").starts_with("my_test.cpp:2: "));
  EXPECT_TRUE(expanded_refusal("int n = sizeof(Promise);").contains("`sizeof`"));
  EXPECT_TRUE(expanded_refusal("int n = __builtin_offsetof(P, x);").contains("offsetof"));
  EXPECT_TRUE(expanded_refusal("template <class P, class = P> int f();").contains("parameter"));
  EXPECT_EQ(expanded_refusal("static_assert(sizeof(\"Name\") > 1, \"\");"), "");
}

TEST(OwnTestRules, HeadersMayAskWhatTheyLike) {
  const auto header = "template <class T> concept Small = requires(T t) { sizeof(t) < 9; };\n";
  EXPECT_EQ(refuse_source(stage_of(includes, header), {}), std::nullopt);
}

TEST(OwnTestRules, HonestLookAlikesAreFine) {
  EXPECT_EQ(refusal(R"(
#include <rapidcheck/gtest.h>

#define SOON_TRUE(condition) EXPECT_TRUE(workbook::eventually([&] { return condition; }))
#if defined(__SANITIZE_THREAD__)
constexpr int rounds = 10;
#else
constexpr int rounds = 100;
#endif
#if 0
not compiled
#endif
struct Order { std::string id; int amount = 0; bool operator==(const Order&) const = default; };
std::ostream& operator<<(std::ostream& out, const Order& order) { return out << order.id; }
template <>
struct rc::Arbitrary<Order> {
  static Gen<Order> arbitrary() {
    return gen::build<Order>(gen::set(&Order::id), gen::set(&Order::amount));
  }
};
template <class T> T twice(T value) { return std::max(value, std::numeric_limits<T>::min()); }
template <class T, std::size_t n> void fill(std::array<T, n>& all, const T& value);
template <class... Parts> std::size_t count(Parts&&...) { return sizeof...(Parts); }
template <class T> struct Box { explicit Box(Box&& other) noexcept : value(other.value) {} T value; };
template <class T> T Box<T>::get(T otherwise) const { return T(value) + otherwise; }
template <class Fn> auto run(Fn fn) -> std::vector<int> { return {fn()}; }
decltype(auto) same(auto&& value) { return value; }
const bool requires_nothing = true;  // requires, sizeof and friend in a comment
const char* text = "sizeof(x) requires friend __COUNTER__";
constexpr auto call = &futures::async;
void callback(int (*)(int), const char*) noexcept;
struct Visitor { void visit(const Order*) const; std::function<void(Order*)> next; };
const auto each_of = [](const Order*, int* last) mutable { return last; };
const int product = (2 * 3) * (static_cast<int>(rate) * 4);
constexpr std::size_t max_size = 4;
std::size_t max_size_of(int n) { return max_size; }
std::size_t max_size(int n);
double integral = 0;
bool small() { return integral < 5; }
using Clock = std::chrono::steady_clock;
constexpr auto now = &Clock::now;
bool in_order(const std::vector<int>& all) {
  return std::is_sorted(all.begin(), all.end()) && std::ranges::is_sorted(all) && is_ready<int>(0);
}
class Fixture : public testing::Test { protected: std::atomic<int> calls = 0; };
TEST_F(Fixture, Runs) {
  const auto each = [](auto& state, const auto&... more) { return state.x + (more + ...); };
  const auto typed = []<class T>(std::vector<T> all) { return all.size(); };
  std::thread thread(&Order::run, &order);
  tracker->template go<int>(forever, [](const Context&) -> Result<int> { return 1; });
  for (int i = 0; a[i] < limit; ++i) EXPECT_EQ(mask & State::resolved, State::resolved) << __FILE__;
  const auto before = std::source_location::current();
  EXPECT_EQ(report[0].where.line(), before.line() + 1);
}
)"),
            "");
}

TEST(OwnTestRules, EveryOwnTestOfTheWorkbookIsFine) {
  int tests = 0;
  for (const auto* folder : {"tasks", "solutions"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(REPOSITORY_DIR) / folder)) {
      const auto file = entry.path() / "my_test.cpp";
      if (!fs::exists(file)) continue;
      EXPECT_EQ(refuse_source(stage_of(slurp(file)), {}), std::nullopt) << file;
      ++tests;
    }
  }
  EXPECT_GE(tests, 30);
}

}  // namespace
}  // namespace grader
