// SHA-256, so that the ledger's chain and the caches need no library beyond the standard one.
#pragma once

#include <string>
#include <string_view>

namespace grader {

// The digest of `bytes` as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace grader
