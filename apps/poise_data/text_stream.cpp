#include "poise_data/text_stream.hpp"

#include "poise/base/error.hpp"

namespace poise::data {

TextStream::TextStream(const std::string& path) : bytes_(path) {
  // The first three bytes tell the encoding; what is no mark is text.
  std::string start;
  for (int c = 0; start.size() < 3 && (c = bytes_.get()) >= 0;) {
    start.push_back(static_cast<char>(c));
    if (start == "\xFF\xFE" || start == "\xFE\xFF") break;
  }
  if (start == "\xFF\xFE") encoding_ = Encoding::utf16_little;
  if (start == "\xFE\xFF") encoding_ = Encoding::utf16_big;
  if (encoding_ == Encoding::utf8 && start.find('\0') != std::string::npos)
    throw bad_input(path +
                    ": begins like UTF-16 text without a byte order mark, or is no text: save it as UTF-8");
  if (encoding_ == Encoding::utf8 && start != "\xEF\xBB\xBF") pending_ = start;
}

int TextStream::unit() {
  const int first = bytes_.get();
  if (first < 0) return -1;
  const int second = bytes_.get();
  if (second < 0) throw bad_input(path() + ": ends within a character of its UTF-16 text: it is truncated");
  return encoding_ == Encoding::utf16_little ? second << 8 | first : first << 8 | second;
}

void append_utf8(std::string& text, unsigned long c) {
  if (c < 0x80) {
    text.push_back(static_cast<char>(c));
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  constexpr unsigned char heads[] = {0, 0xC0, 0xE0, 0xF0};
  text.push_back(static_cast<char>(heads[more] | (c >> 6 * more & 0x3F)));
  for (int k = more - 1; k >= 0; --k) text.push_back(static_cast<char>(0x80 | (c >> 6 * k & 0x3F)));
}

int TextStream::decoded() {
  if (given_ < pending_.size()) return static_cast<unsigned char>(pending_[given_++]);
  if (encoding_ == Encoding::utf8) return bytes_.get();
  const int high = unit();
  if (high < 0) return -1;
  unsigned long c = static_cast<unsigned long>(high);
  if (high >= 0xD800 && high < 0xDC00) {
    const int low = unit();
    if (low < 0xDC00 || low >= 0xE000) throw bad_input(path() + ": is no valid UTF-16 text");
    c = 0x10000UL + ((c - 0xD800UL) << 10U) + (static_cast<unsigned long>(low) - 0xDC00UL);
  }
  pending_.clear();
  given_ = 0;
  append_utf8(pending_, c);
  return static_cast<unsigned char>(pending_[given_++]);
}

int TextStream::get() {
  int c = held_;
  held_ = none;
  if (c == none) c = decoded();
  if (c != '\r') return c;
  const int next = decoded();
  if (next != '\n') held_ = next;
  return '\n';
}

}  // namespace poise::data
