// Where a declaration stands, and which of them the tests would find.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "objection.hpp"
#include "tokens.hpp"

namespace grader {

// The namespaces around a declaration. Reads the tokens of a file in their order.
class Scopes {
 public:
  void read(Tokens tokens, std::size_t at);

  // Not in a class, a function or a namespace of the author's own: what the tests say finds it.
  bool are_everybodys() const;

  bool are_none() const { return scopes_.empty(); }

  // Where the declaration begins that the reading is in.
  std::size_t start() const { return start_; }

 private:
  enum class Kind { everybodys, own };
  static Kind kind(Tokens head);

  std::vector<Kind> scopes_;
  std::size_t start_ = 0;
};

// A function beside one that the runtime gives, in its namespace: the tests would call the one that
// fits better.
std::optional<Objection> object_to_overload(Tokens tokens, std::size_t at, const Scopes& scopes);

}  // namespace grader
