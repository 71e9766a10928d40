using System.Collections;
using System.Globalization;
using System.Text.Json;

namespace LlmTune.Data.Sources;

/// <summary>Rows of binary files as JSON, so that every format reads every file.</summary>
internal sealed class JsonBuilder : IDisposable
{
    private readonly MemoryStream _buffer = new();
    private readonly Utf8JsonWriter _writer;

    public JsonBuilder() => _writer = new Utf8JsonWriter(_buffer);

    public JsonElement Build(Action<Utf8JsonWriter> write)
    {
        _buffer.SetLength(0);
        _writer.Reset();
        write(_writer);
        _writer.Flush();
        return JsonElement.Parse(_buffer.GetBuffer().AsSpan(0, (int)_buffer.Length));
    }

    /// <summary>Writes a value of a reader that gives objects: texts, numbers, lists, maps. Bytes stand as an object of their number.</summary>
    public static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case byte or sbyte or short or ushort or int or uint or long:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong number:
                writer.WriteNumberValue(number);
                break;
            case decimal number:
                writer.WriteNumberValue(number);
                break;
            case Half or float or double:
                Write(writer, value is Half half ? (double)half : Convert.ToDouble(value, CultureInfo.InvariantCulture));
                break;
            case DateTime time:
                writer.WriteStringValue(time);
                break;
            case byte[] bytes:
                WriteBytes(writer, bytes.Length);
                break;
            case ReadOnlyMemory<byte> bytes:
                WriteBytes(writer, bytes.Length);
                break;
            case IDictionary map:
                writer.WriteStartObject();
                foreach (DictionaryEntry entry in map)
                {
                    writer.WritePropertyName(entry.Key.ToString() ?? "");
                    Write(writer, entry.Value);
                }
                writer.WriteEndObject();
                break;
            case IEnumerable list:
                writer.WriteStartArray();
                foreach (var item in list) Write(writer, item);
                writer.WriteEndArray();
                break;
            default:
                writer.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    public static void Write(Utf8JsonWriter writer, double number)
    {
        if (double.IsFinite(number))
            writer.WriteNumberValue(number);
        else
            writer.WriteStringValue(number.ToString(CultureInfo.InvariantCulture));
    }

    public static void WriteBytes(Utf8JsonWriter writer, int count)
    {
        writer.WriteStartObject();
        writer.WriteNumber("bytes", count);
        writer.WriteEndObject();
    }

    public void Dispose()
    {
        _writer.Dispose();
        _buffer.Dispose();
    }
}
