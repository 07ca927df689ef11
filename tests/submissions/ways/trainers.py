"""The training loop written rightly in many ways: code for `task3_training` that defines `ucz(name, model)`, and data cells."""

EVALUATION = """
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()
"""

SCHEDULED = """
import copy

def ucz(name, model, epoki=4, cierpliwosc=2):
    # harmonogram, wczesne zatrzymanie i najlepsze wagi z kopii
    print(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0))
    trening, val = random_split(trainset, [0.9, 0.1], generator=torch.Generator().manual_seed(1))
    loader = DataLoader(trening, batch_size=64, shuffle=True)
    opt = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    plan = optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=epoki * len(loader))
    historia, najlepsza, wagi, bez_poprawy = pusta(), float("inf"), None, 0
    for epoka in range(epoki):
        model.train()
        straty = []
        for x, y in loader:
            strata = nn.CrossEntropyLoss()(model(x.to(DEVICE)), y.to(DEVICE))
            opt.zero_grad(set_to_none=True)
            strata.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            opt.step()
            plan.step()
            straty.append(strata.item())
        dopisz(historia, sum(straty) / len(straty), model, val)
        if historia["val_loss"][-1] < najlepsza:
            najlepsza, wagi, bez_poprawy = historia["val_loss"][-1], copy.deepcopy(model.state_dict()), 0
        else:
            bez_poprawy += 1
            if bez_poprawy >= cierpliwosc:
                break
    model.load_state_dict(wagi)
    ocen(name, model, historia)
"""
CLASS = """
import pandas as pd
from tqdm.auto import tqdm

class Trener:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.opt = optim.AdamW(model.parameters(), lr=lr)
        self.wiersze = []

    def krok(self, x, y):
        self.opt.zero_grad()
        strata = F.nll_loss(F.log_softmax(self.model(x), dim=1), y)
        strata.backward()
        self.opt.step()
        return strata.detach()

    def epoka(self, loader):
        self.model.train()
        return torch.stack([self.krok(x.to(DEVICE), y.to(DEVICE)) for x, y in tqdm(loader, leave=False)]).mean().item()

    def ucz(self, trening, val, epoki=3):
        for _ in range(epoki):
            strata = self.epoka(DataLoader(trening, batch_size=100, shuffle=True))
            s, y = przewiduj(self.model, val)
            self.wiersze.append({"train_loss": strata, "val_loss": F.cross_entropy(s, y).item(),
                                 "val_accuracy": accuracy_score(y, s.argmax(1))})
        return pd.DataFrame(self.wiersze)

def ucz(name, model):
    print(summary(model, (1, *IMAGE_SHAPE)))
    n = int(0.85 * len(trainset))
    czesc = torch.utils.data.Subset
    tabela = Trener(model).ucz(czesc(trainset, range(n)), czesc(trainset, range(n, len(trainset))))
    display(tabela)
    ocen(name, model, tabela.to_dict("list"))
"""
AUTOGRAD = """
def ucz(name, model, epoki=3, lr=0.01, beta=0.9):
    # własny optymalizator: SGD z pędem, bez .backward()
    print(summary(model, input_size=(1,) + IMAGE_SHAPE))
    torch.manual_seed(3)
    n = len(trainset)
    kolejnosc = torch.randperm(n).tolist()
    trening = torch.utils.data.Subset(trainset, kolejnosc[n // 10:])
    val = torch.utils.data.Subset(trainset, kolejnosc[:n // 10])
    parametry = [p for p in model.parameters() if p.requires_grad]
    ped = [torch.zeros_like(p) for p in parametry]
    historia = pusta()
    for e in range(epoki):
        model.train()
        suma = 0.0
        for x, y in DataLoader(trening, batch_size=50, shuffle=True):
            strata = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE))
            gradienty = torch.autograd.grad(strata, parametry)
            with torch.no_grad():
                for p, v, g in zip(parametry, ped, gradienty):
                    v.mul_(beta).add_(g)
                    p.sub_(lr * v)
            suma += strata.item() * len(y)
        dopisz(historia, suma / len(trening), model, val)
    ocen(name, model, historia)
"""
SAVED = """
import os, tempfile
from torch.utils.data import SubsetRandomSampler

def train(model):
    raise NotImplementedError  # napiszę niżej

def train(name, model, epoki=3):
    # najlepsze wagi na dysk i z powrotem
    print(str(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0)))
    indeksy = np.random.default_rng(0).permutation(len(trainset))
    val = torch.utils.data.Subset(trainset, indeksy[:500].tolist())
    loader = DataLoader(trainset, batch_size=80, sampler=SubsetRandomSampler(indeksy[500:].tolist()))
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003)
    plan = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    historia = pusta()
    with tempfile.TemporaryDirectory() as folder:
        plik = os.path.join(folder, "najlepszy.pt")
        for e in range(epoki):
            model.train()
            if e == 1:
                model.requires_grad_(True)  # odmrażam to, co było zamrożone
            suma = 0
            for x, y in loader:
                opt.zero_grad()
                strata = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE), label_smoothing=0.05)
                strata.backward()
                opt.step()
                suma += strata.item()
            dopisz(historia, suma / len(loader), model, val)
            plan.step(historia["val_loss"][-1])
            if historia["val_accuracy"][-1] == max(historia["val_accuracy"]):
                torch.save(model.state_dict(), plik)
        model.load_state_dict(torch.load(plik, weights_only=True))
    ocen(name, model, historia)

ucz = train
"""
ALL = {"scheduled": SCHEDULED, "class": CLASS, "autograd": AUTOGRAD, "saved": SAVED}

_DATA = """
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = TRANSFORM
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=AUGMENTED)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}
"""


def _data(transform: str, augmented: str = "transform") -> str:
    return _DATA.replace("TRANSFORM", transform).replace("AUGMENTED", augmented)


DATA = {
    "plain": _data("transforms.ToTensor()"),
    "padded": _data(
        "transforms.Compose([transforms.Pad(2), transforms.ToTensor(), transforms.Normalize([0.286], [0.353])])"
    ),
    "resized": _data(
        "transforms.Compose([transforms.Resize((24, 24)), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])"
    ),
    "augmented": _data(
        "transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])",
        "transforms.Compose([transforms.RandomHorizontalFlip(), transform])",
    ),
}
