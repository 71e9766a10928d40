using LlmTune.Config;
using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>Real data sets, each with the format that is found and what is kept of it.</summary>
public class DataSetsTests
{
    public static TheoryData<string, string, int> Found => new()
    {
        { "sft/alpaca_en_demo.json", "alpaca", 999 },
        { "sft/alpaca_zh_demo.json", "alpaca", 1000 },
        { "sft/identity.json", "alpaca", 91 },
        { "sft/cnn_dailymail_tldr.jsonl", "prompt_completion", 200 },
        { "sft/glaive_toolcall_en_demo.json", "sharegpt", 300 },
        { "sft/v1_sft_demo.jsonl", "messages", 500 },
        { "sft/torchtune/chat_tiny.json", "sharegpt", 1 },
        { "sft/torchtune/instruct_tiny.json", "alpaca", 2 },
        { "pretrain/c4_demo.jsonl", "text", 300 },
        { "pretrain/names.txt", "text", 1 },
        { "pretrain/tinyshakespeare.txt", "text", 1 },
        { "pretrain/tinystories_sample.txt", "text", 1 },
        { "pretrain/wiki_demo.txt", "text", 1 },
    };

    private static SourceReport Read(SourceConfig source)
    {
        var config = new DataConfig { Sources = [source], MaxLength = 1 << 22, OnError = OnError.Fail };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);
        return corpus.Report.Sources[0];
    }

    private static string PathOf(string file) => Material.Path(file.Split('/'));

    [Theory]
    [MemberData(nameof(Found))]
    public void The_format_is_found_and_every_row_is_kept(string file, string format, int rows)
    {
        var report = Read(new SourceConfig { Path = PathOf(file) });
        Assert.Equal((format, rows, rows), (report.Format, report.Rows, report.Documents + report.NothingToTrain.Count));
        Assert.Equal(0, report.Malformed.Count + report.TooLong.Count);
        Assert.InRange(report.Trained, 1, report.Tokens);
    }

    public static TheoryData<string, string, int, string?> Mapped => new()
    {
        { "sft/belle_zh_seed_tasks.jsonl", "input=instances.0.input;output=instances.0.output", 175, null },
        { "sft/nl2sql_spider_dev.jsonl", "completion=query", 610, "{schema}\n\n{question}" },
        { "sft/nl2sql_spider_dev.jsonl", "question=question;answer=query", 610, null },
        { "pretrain/poetry/lunyu.json", "text=paragraphs", 20, null },
        { "pretrain/poetry/shuimotangshi.json", "text=paragraphs", 176, null },
        { "pretrain/poetry/songci300.json", "", 280, "{rhythmic}\n{author}\n{paragraphs}" },
        { "pretrain/poetry/tang300.json", "", 366, "{title}\n{author}\n{paragraphs}" },
    };

    [Theory]
    [MemberData(nameof(Mapped))]
    public void Other_columns_are_mapped(string file, string columns, int rows, string? template)
    {
        var report = Read(new SourceConfig
        {
            Path = PathOf(file),
            Columns = columns.Length == 0 ? null : new ValueDictionary(columns.Split(';').Select(c => c.Split('=')).Select(c => KeyValuePair.Create(c[0], c[1]))),
            PromptTemplate = template,
            Format = columns.Length == 0 ? "text" : null,
        });
        Assert.Equal((rows, rows), (report.Rows, report.Documents));
    }

    [Fact]
    public void A_line_of_names_is_a_document_where_the_format_says_so()
    {
        var report = Read(new SourceConfig { Path = PathOf("pretrain/names.txt"), Format = "lines" });
        // 228,145 bytes with a line end between the 32,033 names; each name gets EOS in its place, the last one too.
        Assert.Equal((32_033, 228_145 + 1), (report.Documents, report.Tokens));
    }

    [Theory]
    [InlineData("alpaca_en_demo", "alpaca", 999)]
    [InlineData("identity", "alpaca", 91)]
    [InlineData("glaive_toolcall_en_demo", "sharegpt", 300)]
    public void Entries_of_dataset_info_are_read(string name, string format, int rows)
    {
        var report = Read(new SourceConfig { Name = name, Dir = PathOf("sft") });
        Assert.Equal((name, format, rows, rows), (report.Label, report.Format, report.Rows, report.Documents));
    }
}
