using System.Buffers;
using LlmTune.Tokenization;
using Microsoft.ML.Tokenizers;

namespace LlmTune.Tests.Tokenization;

public sealed class HfTokenizerTests
{
    private static readonly string[] Texts = ["Hello world", "", " ", "don't stop 123", "今天天气", "a\n\n b"];

    [Fact]
    public void Says_what_is_not_there()
    {
        using var folder = Tokenizers.Folder();
        Assert.Equal($"no tokenizer at {folder.Path}/x: there is no such folder or file", Assert.Throws<RequestException>(() => HfTokenizer.Load(folder.Path + "/x")).Message);
        Assert.Equal($"{folder.Path} holds neither tokenizer.json nor tokenizer.model", Assert.Throws<RequestException>(() => HfTokenizer.Load(folder.Path)).Message);
        var file = folder.Write("tokenizer.json", "{\"version\": \"1.0\",\n \"model\": [}");
        Assert.StartsWith($"{file}:2:12: not JSON: a value is missing before '}}'", Assert.Throws<RequestException>(() => HfTokenizer.Load(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Says_what_is_wrong_and_where()
    {
        using var folder = Tokenizers.Folder();
        Assert.Equal("model.vocab[\"b\"]: expected a whole number from 0 to 2147483647, found 1.5", Problem("""{"type":"WordLevel","unk_token":"a","vocab":{"a":0,"b":1.5}}"""));
        Assert.Equal("model.unk_token: \"c\" is not in the vocabulary", Problem("""{"type":"WordLevel","unk_token":"c","vocab":{"a":0}}"""));
        Assert.Equal("model.merges[0]: \"a\" + \"b\": \"ab\" is not in the vocabulary", Problem("""{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}"""));
        Assert.Equal("model.type: \"Bpe\" is not a known model (BPE, WordPiece, WordLevel, Unigram)", Problem("""{"type":"Bpe","vocab":{}}"""));
        Assert.Equal(
            "pre_tokenizer.pattern.Regex: the regular expression (a cannot be used: a ( has no ) (at 3)",
            Problem("""{"type":"BPE","vocab":{},"merges":[]}""", ""","pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated","invert":false}"""));

        string Problem(string model, string more = "")
        {
            var file = folder.Write("tokenizer.json", $$"""{"version":"1.0","model":{{model}}{{more}}}""");
            var message = Assert.Throws<RequestException>(() => HfTokenizer.Load(folder.Path)).Message;
            Assert.StartsWith(file + ": ", message, StringComparison.Ordinal);
            return message[(file.Length + 2)..];
        }
    }

    /// <summary>As AutoTokenizer of transformers 5.23 reads these files.</summary>
    [Fact]
    public void Roles_come_from_the_map_as_text_or_object_else_from_the_configuration()
    {
        using var folder = Tokenizers.Folder();
        File.Copy(Tokenizers.File("mini", "mini-qwen.json"), Path.Combine(folder.Path, "tokenizer.json"));
        var bare = HfTokenizer.Load(folder.Path);
        Assert.Equal((null, null, null, null), (bare.BosId, bare.EosId, bare.PadId, bare.UnkId));
        Assert.Null(bare.Config);

        folder.Write("tokenizer_config.json", """{"eos_token":"<|im_end|>","pad_token":{"content":"<|endoftext|>","lstrip":false},"bos_token":null,"model_max_length":5}""");
        folder.Write("special_tokens_map.json", """{"eos_token":"<|endoftext|>","bos_token":"<|im_start|>","unk_token":"nowhere"}""");
        var tokenizer = HfTokenizer.Load(folder.Path);
        Assert.Equal(tokenizer.TokenId("<|endoftext|>"), tokenizer.EosId);
        Assert.Equal(tokenizer.TokenId("<|endoftext|>"), tokenizer.PadId);
        Assert.Equal(tokenizer.TokenId("<|im_start|>"), tokenizer.BosId);
        Assert.Equal(bare.VocabularySize, tokenizer.UnkId);   // a token that the vocabulary has not is added to it
        Assert.Equal(5, tokenizer.Config!.Value.GetProperty("model_max_length").GetInt32());
        Assert.Equal(folder.Path, tokenizer.Folder);

        folder.Write("tokenizer_config.json", """{"eos_token":"<|im_end|>","added_tokens_decoder":{}}""");
        var newer = HfTokenizer.Load(folder.Path);
        Assert.Equal(newer.TokenId("<|im_end|>"), newer.EosId);
        Assert.Equal(newer.TokenId("<|im_start|>"), newer.BosId);
    }

    [Fact]
    public void Tokens_with_a_role_are_special_even_where_the_file_normalizes_them()
    {
        using var folder = Tokenizers.Folder();
        folder.Write(
            "tokenizer.json",
            """
            {"version":"1.0","added_tokens":[{"id":1,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":true}],
             "normalizer":{"type":"Prepend","prepend":"_"},"decoder":{"type":"Fuse"},
             "model":{"type":"BPE","vocab":{"a":0,"</s>":1,"_":2},"merges":[]}}
            """);
        Assert.Equal("a_</s>", HfTokenizer.Load(folder.Path).Decode([0, 1], skipSpecialTokens: true));
        folder.Write("tokenizer_config.json", """{"eos_token":"</s>"}""");
        Assert.Equal("a", HfTokenizer.Load(folder.Path).Decode([0, 1], skipSpecialTokens: true));
    }

    [Fact]
    public void Special_tokens_in_text_can_be_plain_text()
    {
        var tokenizer = Tokenizers.Qwen;
        var special = tokenizer.TokenId("<|im_start|>")!.Value;
        Assert.Equal([special], tokenizer.Encode("<|im_start|>"));
        Assert.DoesNotContain(special, tokenizer.EncodePlain("<|im_start|>"));
        Assert.Equal("<|im_start|>", tokenizer.Decode(tokenizer.EncodePlain("<|im_start|>")));
        Assert.True(tokenizer.IsSpecial(special));
        Assert.False(tokenizer.IsSpecial(5));
        Assert.Equal("", tokenizer.Decode([special], skipSpecialTokens: true));
    }

    [Fact]
    public void Many_texts_on_all_processors_give_what_each_gives_alone()
    {
        string[] texts = [.. Enumerable.Range(0, 2000).Select(i => Tokenizers.RandomText(new Random(i % 100), 40))];
        foreach (var tokenizer in new[] { Tokenizers.Qwen, Tokenizers.Llama })
        {
            var many = HfTokenizer.Load(Path.Combine(tokenizer.Folder, tokenizer == Tokenizers.Qwen ? "mini-qwen.json" : "mini-llama2.json")).EncodeMany(texts, addSpecialTokens: true, TestContext.Current.CancellationToken);
            for (var i = 0; i < texts.Length; i++) Assert.Equal(tokenizer.Encode(texts[i], addSpecialTokens: true), many[i]);
        }
    }

    [Fact]
    public void Vocabulary_works_both_ways()
    {
        var tokenizer = Tokenizers.Qwen;
        Assert.Null(tokenizer.Token(tokenizer.VocabularySize));
        Assert.Null(tokenizer.Token(-1));
        Assert.Null(tokenizer.TokenId("no such token"));
        for (var id = 0; id < tokenizer.VocabularySize; id++) Assert.Equal(id, tokenizer.TokenId(tokenizer.Token(id)!));
    }

    [Fact]
    public void Is_a_tokenizer_to_other_libraries()
    {
        Tokenizer tokenizer = Tokenizers.Qwen;
        foreach (var text in Texts)
        {
            var ids = Tokenizers.Qwen.Encode(text);
            Assert.Equal(ids, tokenizer.EncodeToIds(text));
            Assert.Equal(ids, tokenizer.EncodeToIds(text.AsSpan()));
            Assert.Equal(ids.Length, tokenizer.CountTokens(text));
            Assert.Equal(text, tokenizer.Decode(ids));
            var tokens = tokenizer.EncodeToTokens(text, out _);
            Assert.Equal(ids, tokens.Select(token => token.Id));
            if (text.All(char.IsAscii)) Assert.Equal(text, string.Concat(tokens.Select(token => text[token.Offset])));
        }
    }

    /// <summary>Cut after two tokens, and before the last two: the parts are those tokens' texts.</summary>
    [Fact]
    public void Counts_and_cuts_by_tokens()
    {
        Tokenizer tokenizer = Tokenizers.Qwen;
        const string Text = "Hello world, don't stop";
        var ids = Tokenizers.Qwen.Encode(Text);
        var cut = tokenizer.GetIndexByTokenCount(Text, 2, out _, out var count);
        Assert.Equal((2, Tokenizers.Qwen.Decode(ids.AsSpan(0, 2))), (count, Text[..cut]));
        cut = tokenizer.GetIndexByTokenCountFromEnd(Text, 2, out _, out count);
        Assert.Equal((2, Tokenizers.Qwen.Decode(ids.AsSpan(ids.Length - 2))), (count, Text[cut..]));
        Assert.Equal(ids[..3], tokenizer.EncodeToIds(Text, 3, out _, out var consumed));
        Assert.Equal(Tokenizers.Qwen.Decode(ids.AsSpan(0, 3)), Text[..consumed]);
        Assert.Equal(Text.Length, tokenizer.GetIndexByTokenCount(Text, 1000, out _, out count));
        Assert.Equal(ids.Length, count);
    }

    [Fact]
    public void Decodes_into_a_span_as_far_as_it_reaches()
    {
        Tokenizer tokenizer = Tokenizers.Qwen;
        var ids = Tokenizers.Qwen.Encode("Hello world");
        var target = new char[11];
        Assert.Equal(OperationStatus.Done, tokenizer.Decode(ids, target, out var consumed, out var written));
        Assert.Equal((ids.Length, "Hello world"), (consumed, new string(target, 0, written)));
        Assert.Equal(OperationStatus.DestinationTooSmall, tokenizer.Decode(ids, target.AsSpan(0, 7), out consumed, out written));
        Assert.Equal(Tokenizers.Qwen.Decode(ids.AsSpan(0, consumed)), new string(target, 0, written));
    }
}
