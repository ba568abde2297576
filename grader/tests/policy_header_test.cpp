// The rules on a submitted header: what changes the tests is refused, and what only looks like it
// is not.
#include <filesystem>
#include <gtest/gtest.h>

#include "files.hpp"
#include "policy.hpp"

namespace grader {
namespace {

constexpr auto header = "04_promise/promise.hpp";
constexpr auto suite = "04_promise/suite.cpp";

Stage stage_of(const std::string& text) {
  Stage stage;
  stage.files = {{header, text, false}, {suite, "", true}};
  stage.source = suite;
  return stage;
}

std::string refused(const std::string& text, const TextRules& rules = {}) {
  return refuse_source(stage_of("namespace futures {\n" + text + "\n}\n"), rules).value_or("");
}

TEST(HeaderRules, NothingInnocentIsRefused) {
  for (const char* text : {
           "using futures::with_timeout;",
           "class Kernel { public: int syscall(int number); };",
           "inline long AnnotateCount = 0;",
           "struct Box { template <class U> friend bool operator==(const Box&, const U&); };",
           "struct Ticket { int n; };\nbool operator==(const Ticket& a, const Error& e);",
           "#define TODO not_implemented(__func__)\ninline int f() { TODO; }\n#undef TODO",
           "struct Pending { std::string stacktrace; };",
           "namespace detail { inline void spawn(int); }",
           "class Pool { void spawn(int); Receiver<int> make_channel(); };",
           "inline void f() { spawn([] {}); auto source = with_cancel(Context::background()); }",
           "template <> struct std::hash<Own> { std::size_t operator()(const Own&) const; };",
           "template <> inline constexpr bool std::ranges::enable_view<Own> = true;",
           "template <class T> struct Own { T get(); };\ntemplate <> int Own<int>::get();",
           "struct [[nodiscard]] Own { struct In { int f(); }; };\nint Own::In::f() { return 1; }",
           "enum Kind { a };\nbool operator==(const Kind& x, const std::error_code& y);",
           "bool testing = false;\nstd::vector<int> futures;\nusing namespace std;",
           "template <class T> void all(std::vector<Future<T>> futures);",
           "inline int f(bool b) { if (b) { return 1; } std::vector<int> futures; return 2; }",
           "struct Own { bool go() { return true; } bool testing; };",
           R"(template <class T> struct Own { bool operator==(const T&) const; };
              template <class T> bool Own<T>::operator==(const T& other) const { return true; })",
           "struct Own { int section; int value __attribute__((guarded_by(section))); };",
           R"(template <class T> struct Own {};
              template <class T> inline constexpr bool mine<Own<T>> = true;)",
           "constexpr long n = 5L + 0xFL; std::vector<::Own> all; int a[2] = {n<::zero, 1};",
           "template <class T> std::atomic<T> Own<T>::count = 0;",
           "namespace s = std;\nnamespace test_suite_of_mine {}\nusing std::vector;",
           "#define WORDS R\"(one line // and /* no more)\"\n#undef WORDS",
           "#define N 1'000'000\n#define C '\\''\n",
           "enum class Own { a };\nstd::error_code make_error_code(Own e);",
           "inline void wait() { _mm_pause(); }",
           "alignas(std::max_align_t) char room[sizeof(::std::max_align_t)];",
           "constexpr auto n = alignof(max_align_t) + sizeof(long double);",
           "int* kept(int& value [[clang::lifetimebound]]);",
           "[[gnu::always_inline, gnu::flatten]] inline int f() { return 1; }",
           "[[gnu::cold]] [[gnu::noinline]] void g();",
           "[[clang::no_destroy]] static std::vector<int> all;",
           "struct [[clang::trivial_abi]] Own { ~Own(); };",
           "struct [[gnu::packed]] Narrow { char c; int n; };",
           "struct Wide { int n __attribute__((aligned(64))); };",
           "struct Lock { void lock() __attribute__((acquire_capability())); };",
           "inline int h(int n) { [[clang::musttail]] return f(n); }",
           "[[noreturn]] void stop(); [[maybe_unused]] [[deprecated(\"x\")]] int old;",
           "inline int hint(int n) { return __builtin_expect(n, 1) ? __builtin_clz(7U) : 2; }",
           "inline void trap() { __builtin_trap(); __builtin_unreachable(); }",
           "inline __int128 wide(long a) { return (__int128)a * a / 3; }",
           "#pragma GCC diagnostic ignored \"-Wshadow\"\n",
           "#ifndef MINE_HPP\n#define MINE_HPP\n#endif",
           "#if __cpp_lib_move_only_function >= 202110L\n#endif",
           "static_assert(std::atomic<void*>::is_always_lock_free, \"a lock\");",
           "inline auto place = std::hash<std::thread::id>{}(std::this_thread::get_id());",
           "union Slot { Slot() {} ~Slot() {} int value; };",
           "template <auto F> struct Calls { static int operator()() { return F(); } };",
           "struct Bits { unsigned open : 1 = 0; unsigned count : 31 = 0; };",
           "inline void* operator\"\"_p(const char* text, std::size_t) { return nullptr; }",
           "extern template class std::vector<int>;",
           "inline void again() try { throw; } catch (...) { std::terminate(); }",
           "inline volatile bool flag; inline const volatile int* p;",
       }) {
    EXPECT_EQ(refused(text), "") << text;
  }
}

TEST(HeaderRules, WhatStandsInForTheRuntimeIsRefused) {
  for (const char* text : {
           "template <class D> CancelSource with_timeout(const Context&, D);",
           "template <class D> [[nodiscard(\"x\")]] CancelSource with_timeout(const Context&, D);",
           "template <class D, class = void> CancelSource with_timeout(const Context&, D);",
           "template <class D> requires(true) CancelSource with_timeout(const Context&, D);",
           "inline namespace v1 { void spawn(int); }",
           "namespace own { void spawn(int); }\nusing own::spawn;",
       }) {
    EXPECT_TRUE(refused(text).contains("declares another")) << text << "\n" << refused(text);
  }
}

TEST(HeaderRules, SpecialisationsOfWhatTheTestsUseAreRefused) {
  for (const char* text : {
           "template <> std::optional<int> Receiver<int>::receive() { return 7; }",
           "template <> [[nodiscard(\"x\")]] std::optional<int> Receiver<int>::receive() {}",
           "template <> decltype(auto) std::get<0>(const Own&);",
           "template <> constexpr auto std::operator== <int, int>(const A&, const B&) -> bool;",
           "template <> inline constexpr bool std::is_same_v<int, Own> = true;",
           "template <> struct std::optional<int> {};",
       }) {
    EXPECT_TRUE(refused(text).contains("specialises")) << text << "\n" << refused(text);
  }
}

// The tests mean the namespaces of everybody.
TEST(HeaderRules, NamesakesOfTheTestsWordsAreRefused) {
  for (const char* text : {
           "}\nnamespace { struct workbook { static int crowd(int); }; }\nnamespace x {",
           "struct alignas(8) [[nodiscard]] testing { };",
           "namespace mine::workbook { }",
           "typedef struct { int n; } testing;",
           "using testing = int;",
           "}\nnamespace { struct std { }; }\nnamespace x {",
           "}\nnamespace { namespace std { } }\nnamespace x {",
           "}\nnamespace { class futures { }; }\nnamespace x {",
           "}\nnamespace promise_suite { }\nnamespace x {",
           "}\nnamespace [[maybe_unused]] promise_suite { }\nnamespace x {",
           "}\nnamespace __attribute__((visibility(\"default\"))) promise_suite { }\nnamespace x {",
       }) {
    const auto told = refused(text);
    EXPECT_TRUE(told.contains("of everybody") || told.contains("speaks to the tests"))
        << text << "\n"
        << told;
  }
}

// In a nameless namespace of their own they would share it with the header, which could overload
// what they call.
TEST(HeaderRules, SuitesStandWhereNoHeaderDoes) {
  int suites = 0;
  for (const char* top : {"tasks", "stretch"}) {
    const auto folder = std::filesystem::path(REPOSITORY_DIR) / top;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with("suite") && name != "measure.cpp") continue;
      const auto text = read_regular_file(entry.path(), 1 << 20).value_or("");
      const auto first = text.find("\nnamespace ");
      if (first == std::string::npos) continue;
      ++suites;
      const auto line = text.substr(first + 1, text.find('\n', first + 1) - first - 1);
      EXPECT_TRUE(line.ends_with("_suite {")) << entry.path() << ": " << line;
    }
  }
  EXPECT_GT(suites, 18);
}

TEST(HeaderRules, AnotherNameChangesNothing) {
  for (const char* text : {
           "using Inbox = Receiver<int>;\n"
           "template <> inline std::optional<int> Inbox::receive() const { return {}; }",
           "template <class T> using In = Receiver<T>;\n"
           "template <> inline std::optional<int> In<int>::receive() const { return {}; }",
           "template <class T> requires std::is_same_v<T, int> class Receiver<T> { int receive(); "
           "};",
           "template <> class alignas(8) Receiver<int> { };",
           "}\ntemplate <> class [[nodiscard]] std::optional<long long> {};\nnamespace x {",
           "}\ntemplate <class T> constexpr bool std::is_same_v<Mine, T> = true;\nnamespace x {",
           "}\nnamespace std { template <> inline constexpr bool is_same_v<A, B> = true; "
           "}\nnamespace x {",
           "namespace helper { struct Code; }\nusing Code = std::error_code;\n"
           "bool operator==(const Code&, const Errc&) { return true; }",
           "using Code = std::error_code; using Kind = Errc;\n"
           "bool operator==(const Code&, Kind) { return true; }",
       }) {
    EXPECT_TRUE(refused(text).contains("not its own") || refused(text).contains("specialises"))
        << text << "\n"
        << refused(text);
  }
}

// Where the compiler sees the end of a literal, a comment or a line, so do the rules.
TEST(HeaderRules, NothingHidesInALiteral) {
  for (const char* text : {
           "#define A R\"(\n/*\n)\"\n#line 7 \"04_promise/suite.cpp\"\n// */",
           "#define A 1'0 '/*'\n#line 7 \"x\"\n// */",
           "#if __has_include(</*>)\n#endif\n#line 7 \"x\"\n// */",
           "// a comment\r#line 7 \"x\"\n",
           "#\xC2\xA0line 7 \"x\"",
           "asm\xC2\xA0(\"nop\");",
           "<:<:using clang: no_sanitize(\"thread\"):>:> bool settled() const { return there_; }",
           "}\nnamespace std <% bool operator==(A, int); %>\nnamespace x {",
       }) {
    EXPECT_NE(refused(text), "") << text;
  }
}

TEST(HeaderRules, MemoryThatTheDetectorsDoNotSeeIsRefused) {
  for (const char* text : {
           "using Plain = __attribute__((address_space(1))) int;",
           "long double sum = 0;",
           "double long sum = 0;",
           "decltype(0.0L) sum = 0;",
           "auto sum = 1e3l;",
           "std::max_align_t sum;",
           "auto room = new char[sizeof(int)]; auto* sum = (std::max_align_t*)room;",
           "struct Own { int alignof_(std::max_align_t); };",
           "__m256i sum;",
           "unsigned _BitInt(24) sum = 0;",
           "using Wide = __attribute__((__vector_size__(32))) int;",
           "using Other = float __attribute__((mode(XF)));",
       }) {
    EXPECT_TRUE(refused(text).contains("race detectors")) << text << "\n" << refused(text);
  }
}

TEST(HeaderRules, AHeaderThatIsMadeToBeReadForEverIsRefusedSoon) {
  std::string text = "#if 0\n";
  for (int i = 0; i < 22'000; ++i) text += "template < ";
  EXPECT_EQ(refused(text + "\n#endif"), "");  // in no time: it is within the limit
  for (int i = 0; i < 5'000; ++i) text += "template < ";
  EXPECT_TRUE(refused(text + "\n#endif").contains("goes on after")) << refused(text);
}

TEST(HeaderRules, ALineOfTheLookMayNotBeForged) {
  EXPECT_TRUE(refused("const char* s = R\"(\n# 1 \"/usr/include/stdio.h\"\n)\";").contains("raw"));
}

// -E -dD output, as the compiler writes it.
std::string looked(const std::string& lines, const TextRules& rules = {}) {
  const auto read = [](const std::filesystem::path&) { return std::string("int theirs = 0;"); };
  return refuse_expansion(stage_of(""), lines, rules, read).value_or("");
}

const std::string in_header = "# 1 \"04_promise/promise.hpp\" 1\n";

TEST(HeaderRules, AMacroMayNotBeInForceWhereItsNameIsRead) {
  const auto theirs = "# 1 \"/usr/include/theirs.h\" 1 3\n# 3 \"04_promise/promise.hpp\" 2\n";
  EXPECT_TRUE(looked(in_header + "#define theirs ours\n" + theirs).contains("is in force"));
  EXPECT_EQ(looked(in_header + "#define ours 1\n" + theirs), "");
  EXPECT_EQ(looked(in_header + "#define theirs ours\n#undef theirs\n" + theirs), "");
  const TextRules rules{.protected_names = {"EXPECTED"}, .places = false};
  const auto in_suite = "# 9 \"04_promise/suite.cpp\" 2\n";
  EXPECT_TRUE(looked(in_header + "#define EXPECTED 1\n" + in_suite, rules).contains("EXPECTED"));
  EXPECT_EQ(looked(in_header + "#define EXPECTED 1\n#undef EXPECTED\n" + in_suite, rules), "");
}

TEST(HeaderRules, WhatIsForTestsIsKnownByItsFolder) {
  const auto back = "# 2 \"04_promise/promise.hpp\" 2\n";
  EXPECT_TRUE(looked(in_header + "# 1 \"/usr/include/gtest/gtest-spi.h\" 1 3\n" + back)
                  .contains("for tests"));
  EXPECT_TRUE(
      looked(in_header + "# 1 \"/k/tasks/testing/scene.hpp\" 1\n" + back).contains("for tests"));
  EXPECT_EQ(looked(in_header + "# 1 \"/x-testing/testing/k/tasks/runtime/channel.hpp\" 1\n" + back),
            "");
}

TEST(HeaderRules, AnotherWayToTheSameFileIsTheSameFile) {
  EXPECT_TRUE(looked("# 1 \"./04_promise/../04_promise/promise.hpp\" 1\nusing testing::Test;\n")
                  .contains("testing"));
}

TEST(HeaderRules, TheTextIsComparedWithoutBlanksAndComments) {
  const auto stage = stage_of("");
  EXPECT_EQ(submitted_text(stage, in_header + "int  a ;\n"),
            submitted_text(stage, in_header + "\n\nint a; // b\n"));
  EXPECT_NE(submitted_text(stage, in_header + "int a;\n"),
            submitted_text(stage, in_header + "int b;\n"));
}

}  // namespace
}  // namespace grader
